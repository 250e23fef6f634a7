use std::io;

use super::*;

/// Takes numbers up to nine, and keeps the last.
#[derive(Default)]
struct Digit(Mutex<Option<u32>>, Mutex<bool>);

impl Content for Digit {
    type Value = u32;
    type Wrong = String;
    const WHAT: &'static str = "digits";

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|error| error.to_string())
    }

    fn parse(&self, content: &[u8]) -> Result<u32, String> {
        let text = std::str::from_utf8(content).unwrap();
        let digit = text.split_whitespace().next().and_then(|word| word.parse().ok());
        digit.filter(|digit| *digit < 10).ok_or_else(|| "is no digit".to_owned())
    }

    fn take(&self, value: u32) {
        *self.0.lock().unwrap() = Some(value);
    }

    fn failed(why: String) -> String {
        why
    }

    fn in_doubt(&self, is_so: bool) {
        *self.1.lock().unwrap() = is_so;
    }
}

fn watched(path: &Path, content: &str) -> Watched<Digit> {
    std::fs::write(path, content).unwrap();
    Watched::new(Some(path.to_owned()), hash(content.as_bytes()), Digit::default())
}

/// What is logged, shared with the subscriber.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn errors(&self) -> usize {
        self.count("ERROR")
    }

    fn count(&self, level: &str) -> usize {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().matches(level).count()
    }
}

#[test]
fn each_wrong_content_is_logged_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("digit");
    let file = watched(&path, "0");
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        for (errors, wrong) in [(1, "11"), (2, "12")] {
            std::fs::write(&path, wrong).unwrap();
            for _ in 0..5 {
                // Why it is refused is another test's question.
                let _ = file.look_blocking(Look::Twice);
            }
            assert_eq!(log.errors(), errors);
        }
        std::fs::remove_file(&path).unwrap();
        for _ in 0..5 {
            let _ = file.look_blocking(Look::Twice);
        }
        assert_eq!(log.errors(), 3, "a file that is gone is logged once, too");
    });
}

#[test]
fn content_that_is_other_at_every_look_is_taken_at_the_third_if_it_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("digit");
    let file = watched(&path, "0");
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let look = |content: String| {
        std::fs::write(&path, content).unwrap();
        file.look_blocking(Look::Twice)
    };
    let right = |n: u32| look(format!("1 of {n}"));
    tracing::subscriber::with_default(subscriber, || {
        assert_eq!([right(1), right(2)], [Ok(Reloaded::Settling), Ok(Reloaded::Settling)]);
        assert_eq!(log.count("WARN"), 0);
        assert_eq!(right(3), Ok(Reloaded::Taken));
        assert_eq!(log.count("WARN"), 1);
        assert_eq!([right(4), right(4)], [Ok(Reloaded::Settling), Ok(Reloaded::Taken)], "it counts anew");
        for n in 0..5 {
            assert_eq!(look(format!("wrong {n}")), Ok(Reloaded::Settling));
        }
        assert_eq!((log.count("WARN"), log.errors()), (2, 0), "told once that it is wrong each time");
        assert_eq!(right(5), Ok(Reloaded::Taken), "the first right one after that");
    });
}

#[test]
fn what_is_right_is_taken_and_doubt_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("digit");
    let file = watched(&path, "0");
    let look = |content: &str, look: Look| {
        std::fs::write(&path, content).unwrap();
        let came_to = file.look_blocking(look);
        (came_to, *file.content.0.lock().unwrap(), *file.content.1.lock().unwrap())
    };
    assert_eq!(look("0", Look::AtOnce), (Ok(Reloaded::Same), None, false));
    assert_eq!(look("7", Look::AtOnce), (Ok(Reloaded::Taken), Some(7), false));
    assert_eq!(look("x", Look::AtOnce), (Err("is no digit".to_owned()), Some(7), true));
    assert_eq!(look("7", Look::Twice), (Ok(Reloaded::Same), Some(7), false));
    assert_eq!(look("8", Look::Twice), (Ok(Reloaded::Settling), Some(7), false));
    assert_eq!(look("8", Look::Twice), (Ok(Reloaded::Taken), Some(8), false));
}
