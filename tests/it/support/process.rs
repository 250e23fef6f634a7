//! Programs as processes of their own: started, read, told to stop, and never left behind.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

/// Far more than anything here takes; only a hang is as long.
const DEADLINE: Duration = Duration::from_mins(1);

/// Asks again and again until there is an answer; fails at the deadline.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "this did not come: {what}");
        ticks.tick().await;
    }
}

/// A command that runs our own binary in `dir`, with nothing in its environment.
pub(crate) fn behalf(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_behalf"));
    command.args(arguments).current_dir(dir).env_clear();
    command
}

/// Both outputs of a process, line by line as they come.
type Lines = Arc<Mutex<Vec<String>>>;

/// A process. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    out: Lines,
    err: Lines,
    readers: Vec<JoinHandle<()>>,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote to standard output.
    pub(crate) out: String,
    /// What it wrote to standard error.
    pub(crate) err: String,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(
                |error| panic!("{command:?} can't be started: {error}; ./check installs what the tests start"),
            );
        let (out, err) = (Lines::default(), Lines::default());
        let readers = vec![read(child.stdout.take().unwrap(), &out), read(child.stderr.take().unwrap(), &err)];
        let input = child.stdin.take();
        Self { child, input, out, err, readers }
    }

    /// The system's number for it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The lines on standard output so far.
    pub(crate) fn out(&self) -> Vec<String> {
        self.out.lock().unwrap().clone()
    }

    /// Waits for a line on standard output that `read` makes something of.
    pub(crate) async fn line<T>(&mut self, what: &str, read: impl Fn(&str) -> Option<T>) -> T {
        until(what, async || {
            if let Some(found) = self.out().iter().find_map(|line| read(line)) {
                return Some(found);
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                let err = self.err.lock().unwrap().join("\n");
                panic!("it ended ({status}) before this: {what}\n{}\n{err}", self.out().join("\n"));
            }
            None
        })
        .await
    }

    /// Waits for a log line of this message.
    pub(crate) async fn log(&mut self, message: &str) -> Value {
        self.line(message, |line| serde_json::from_str::<Value>(line).ok().filter(|line| line["message"] == message))
            .await
    }

    /// Writes a line to standard input.
    pub(crate) fn tell(&mut self, line: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Sends a signal, e.g. `TERM`. (The shell's `kill`: a bare machine needn't have another.)
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(status.unwrap().success(), "no process to send SIG{name} to");
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self) -> Ended {
        let status = until("the end of the process", async || self.child.try_wait().unwrap()).await;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let text = |lines: &Lines| lines.lock().unwrap().join("\n");
        Ended { code: status.code(), out: text(&self.out), err: text(&self.err) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(from: impl Read + Send + 'static, to: &Lines) -> JoinHandle<()> {
    let to = Arc::clone(to);
    thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            match line {
                Ok(line) => to.lock().unwrap().push(line),
                Err(_) => break,
            }
        }
    })
}

/// Runs a command to its end.
pub(crate) async fn run(command: &mut Command) -> Ended {
    Process::start(command).end().await
}

/// A running `behalf serve`.
pub(crate) struct Service {
    pub(crate) process: Process,
    /// Where it listens, as `127.0.0.1:port`.
    pub(crate) address: String,
}

impl Service {
    /// Starts it and waits until it says that it is ready. The variables must let it choose a port.
    pub(crate) async fn start(command: &mut Command) -> Self {
        let mut process = Process::start(command);
        let ready = process.log("ready").await;
        let address = ready["address"].as_str().unwrap().replace("0.0.0.0", "127.0.0.1");
        Self { process, address }
    }

    /// An address on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
