//! Files of keys: one or two lines of base64. What is wrong is said without showing any of it.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;

use super::mistakes::{Fault, fault};
use crate::file_mode;

/// Larger files hold something else.
const MOST_BYTES: u64 = 8 * 1024;
/// The present key, and the next or the former one.
const MOST_KEYS: usize = 2;

/// The keys in the order of their lines. `key` makes one of its bytes; `None`: the size is wrong, which is `size`.
pub(super) fn keys<T>(path: &Path, size: &str, key: impl Fn(Vec<u8>) -> Option<T>) -> Result<Vec<T>, Fault> {
    let shown = path.display();
    let unreadable = |why: &dyn std::fmt::Display| {
        fault(format!("its file `{shown}` can't be read ({why})"), "name a text file that is there and readable")
    };
    let meta = fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !meta.is_file() || meta.len() > MOST_BYTES {
        return Err(unreadable(&"it is no file of keys"));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| unreadable(&error.kind()))?);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() || lines.len() > MOST_KEYS {
        let what = format!("its file `{shown}` has {} keys", lines.len());
        return Err(fault(what, format!("write one key on a line, {MOST_KEYS} at most")));
    }
    if lines.iter().enumerate().any(|(at, line)| lines.iter().skip(at + 1).any(|other| other == line)) {
        return Err(fault(format!("its file `{shown}` has the same key twice"), "write each once"));
    }
    let read = |(at, line): (usize, &&str)| {
        let place = format!("line {} of its file `{shown}`", at + 1);
        let Ok(bytes) = STANDARD.decode(line) else {
            return Err(fault(format!("{place} is not base64"), "write the key in base64, with its padding"));
        };
        key(bytes).ok_or_else(|| fault(format!("{place} has the wrong size"), format!("give {size}")))
    };
    lines.iter().enumerate().map(read).collect()
}

/// What there is to warn of: who else may read or replace it.
pub(super) fn open_to_others(path: &Path) -> Option<String> {
    let mode = file_mode::open_to_others(&fs::metadata(path).ok()?)?;
    let path = path.display();
    Some(format!("others than the owner may read or write its file `{path}` (mode {mode:03o}); `chmod 600` it"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(text: &str) -> Result<Vec<Vec<u8>>, Fault> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        keys(file.path(), "3 bytes", |bytes| (bytes.len() == 3).then_some(bytes))
    }

    #[test]
    fn one_or_two_keys_are_read_in_their_order() {
        assert_eq!(read("YWJj").unwrap(), [b"abc"]);
        assert_eq!(read("YWJj\n\nZGVm\r\n").unwrap(), [b"abc", b"def"]);
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        let cases = [
            ("", "has 0 keys"),
            ("YWJj\nZGVm\nZ2hp", "has 3 keys"),
            ("YWJj\nYWJj", "the same key twice"),
            ("YWJj=", "line 1"),
            ("YW Jj", "is not base64"),
            ("-_-_", "is not base64"),
            ("YWI", "is not base64"),
            ("YWJ=", "is not base64"),
            ("YWJj\nYWJjZA==", "line 2"),
            ("YWJjZA==", "wrong size"),
        ];
        for (text, said) in cases {
            let what = read(text).unwrap_err().what;
            assert!(what.contains(said), "{text}: {what}");
            assert!(!what.contains("YW"), "{what}");
        }
        let gone = keys(Path::new("/nowhere/at/all"), "", |_| Some(())).unwrap_err().what;
        assert!(gone.contains("can't be read"), "{gone}");
    }
}
