//! Redis servers as processes of their own, and what can happen to them.
//!
//! They need the real clock: a test with a paused one would run into every deadline at once.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

use self::server::{Failed, Running};
use super::{ports, process::until};

pub(super) mod client;
mod cluster;
mod sentinel;
mod server;

pub(crate) use cluster::Cluster;
pub(crate) use sentinel::SentinelPair;

/// Lines of a configuration file: name, and the value as it is written there.
pub(crate) type Options<'o> = &'o [(&'o str, &'o str)];

/// Little work in the background, for many of them run on a small machine. Nothing is kept unless a test asks for it.
/// The user `rig` is the tests' own way in, whatever passwords and users a test sets.
const DEFAULTS: Options = &[
    ("save", ""),
    ("io-threads", "1"),
    ("activerehashing", "no"),
    ("hz", "5"),
    ("repl-diskless-sync", "yes"),
    ("repl-diskless-sync-delay", "0"),
    ("user", "rig on nopass ~* &* +@all"),
];

/// One server on 127.0.0.1. Killed when it is dropped, and when the test process ends in any way.
pub(crate) struct Redis {
    running: Option<Running>,
    port: u16,
    sentinel: bool,
    folder: TempDir,
    starts: usize,
}

impl Redis {
    /// Starts one and waits until it answers. A user is an option, too: `("user", "app on >password ~* +@all")`.
    pub(crate) async fn start(options: Options<'_>) -> Self {
        Self::try_start("port", options).await.unwrap_or_else(|why| panic!("Redis doesn't start: {why}"))
    }

    /// One that speaks TLS only, with the certificate of `tls_file`. `None`: this server was built without; that was
    /// said. The one that is installed for the tests has it.
    pub(crate) async fn start_tls(options: Options<'_>) -> Option<Self> {
        let files = ["server.pem", "server.key", "ca.pem"].map(|name| tls_file(name).display().to_string());
        let [cert, key, ca] = files.each_ref().map(String::as_str);
        let mut all = vec![("tls-cert-file", cert), ("tls-key-file", key), ("tls-ca-cert-file", ca)];
        all.push(("tls-auth-clients", "no"));
        all.extend(options);
        match Self::try_start("tls-port", &all).await {
            Ok(server) => Some(server),
            Err(why) if server::without_tls(&why) => None,
            Err(why) => panic!("Redis doesn't start: {why}"),
        }
    }

    async fn sentinel(options: Options<'_>) -> Self {
        Self::try_start("sentinel", options).await.unwrap_or_else(|why| panic!("Sentinel doesn't start: {why}"))
    }

    async fn try_start(kind: &str, options: Options<'_>) -> Result<Self, String> {
        let sentinel = kind == "sentinel";
        loop {
            let (folder, port) = (tempfile::tempdir().unwrap(), ports::free());
            let text = configuration(&folder.path().display().to_string(), kind, port, options);
            fs::write(folder.path().join("redis.conf"), text).unwrap();
            let mut server = Self { running: None, port, sentinel, folder, starts: 0 };
            match server.launch().await {
                Ok(()) => return Ok(server),
                // Somebody was faster; the next port is another one.
                Err(Failed::PortTaken) => {}
                Err(Failed::Other(why)) => return Err(why),
            }
        }
    }

    async fn launch(&mut self) -> Result<(), Failed> {
        self.starts += 1;
        let running = Running::start(self.folder.path(), self.starts, self.sentinel).await?;
        self.running = Some(running);
        until("an answer of Redis", async || self.ask(&["PING"]).ok()).await;
        Ok(())
    }

    /// Where it listens, as `127.0.0.1:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL: what isn't on the disk is gone, and nobody was told.
    pub(crate) fn kill(&mut self) {
        drop(self.running.take().unwrap());
    }

    /// Starts it again after a kill: same port, folder and options.
    pub(crate) async fn restart(&mut self) {
        assert!(self.running.is_none(), "it runs still");
        loop {
            match self.launch().await {
                Ok(()) => return,
                // Another test only looks whether the port is free.
                Err(Failed::PortTaken) if self.starts < 50 => {}
                Err(why) => panic!("Redis doesn't start again: {why:?}"),
            }
        }
    }

    /// Whether it wasn't killed.
    pub(crate) fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// How long its append-only file is now.
    pub(crate) fn appended(&self) -> u64 {
        fs::metadata(self.append_only_file()).map_or(0, |file| file.len())
    }

    /// While it is killed: cuts its append-only file back to that length, as a power cut does with what wasn't synced.
    pub(crate) fn cut_back_to(&self, length: u64) {
        assert!(self.running.is_none(), "it runs still");
        let file = fs::File::options().write(true).open(self.append_only_file()).unwrap();
        assert!(file.metadata().unwrap().len() > length, "there is nothing to lose");
        file.set_len(length).unwrap();
    }

    fn append_only_file(&self) -> PathBuf {
        let parts = fs::read_dir(self.folder.path().join("appendonlydir")).into_iter().flatten();
        let latest =
            parts.map(|part| part.unwrap().path()).filter(|path| path.extension() == Some("aof".as_ref())).max();
        // 6.2 has one file.
        latest.unwrap_or_else(|| self.folder.path().join("appendonly.aof"))
    }

    /// Stops the process in its tracks: connections stay open and nothing is answered.
    pub(crate) async fn pause(&self) {
        self.signal("STOP");
        until("a stopped process", async || self.stopped().then_some(())).await;
    }

    /// Ends a pause.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // The name, in brackets, may hold anything.
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    }

    fn signal(&self, name: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status();
        assert!(status.unwrap().success(), "no process to send SIG{name} to");
    }

    fn id(&self) -> u32 {
        self.running.as_ref().unwrap().id()
    }

    /// Sends a command on a connection of its own: its answer (of a list: one element per line), or the error. It is
    /// local and may do everything, whatever users and TLS are set.
    pub(crate) fn ask(&self, command: &[&str]) -> Result<String, String> {
        client::ask(&self.folder.path().join("socket"), !self.sentinel, command)
    }

    /// The same for what must succeed.
    pub(crate) fn command(&self, command: &[&str]) -> String {
        self.ask(command).unwrap_or_else(|error| panic!("{command:?} at {}: {error}", self.address()))
    }

    /// What lies in each key that stays, as lines of two hashes: the same text is the same content.
    pub(crate) fn content(&self) -> String {
        let script = "local lines = {} for _, key in ipairs(redis.call('KEYS', '*')) do \
            if redis.call('PTTL', key) == -1 then \
            lines[#lines + 1] = redis.sha1hex(key) .. ' ' .. redis.sha1hex(redis.call('DUMP', key)) end end \
            table.sort(lines) return table.concat(lines, '\\n')";
        self.command(&["EVAL", script, "0"])
    }

    /// A field of `INFO section`.
    pub(crate) fn info(&self, section: &str, field: &str) -> String {
        let found = self.find(section, field);
        found.unwrap_or_else(|| panic!("INFO {section} has no {field}"))
    }

    /// The same where it may not answer at the moment.
    pub(super) fn find(&self, section: &str, field: &str) -> Option<String> {
        // Sentinels cut every connection to a server whose role they change.
        let all = self.ask(&["INFO", section]).ok()?;
        all.lines().find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.to_owned()))
    }

    /// How often this command (in small letters) was called since the start. `AUTH` and what `command` sent count, too.
    pub(crate) fn stats(&self, command: &str) -> u64 {
        let Some(all) = self.find("commandstats", &format!("cmdstat_{command}")) else { return 0 };
        all.split(',').find_map(|pair| pair.strip_prefix("calls=")).and_then(|calls| calls.parse().ok()).unwrap()
    }

    /// Waits until its replica has all that it has now.
    pub(crate) async fn wait_until_it_has_all(&self, replica: &Self) {
        let offset = |server: &Self, name| server.info("replication", name).parse::<u64>().unwrap();
        let enough = offset(self, "master_repl_offset");
        let has = async || (offset(replica, "slave_repl_offset") >= enough).then_some(());
        until("a replica that has all", has).await;
    }

    /// Makes it a replica, and waits until it has all that the other has.
    pub(crate) async fn replica_of(&self, other: &Self) {
        self.command(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]);
        until("the replica's link", async || {
            self.find("replication", "master_link_status").filter(|status| status == "up").map(drop)
        })
        .await;
    }
}

/// The configuration file. `kind`: `port`, `tls-port`, `sentinel`.
fn configuration(folder: &str, kind: &str, port: u16, options: Options<'_>) -> String {
    let (socket, port) = (format!("{folder}/socket"), port.to_string());
    let mut lines = vec![("bind", "127.0.0.1"), ("dir", folder), ("unixsocket", &socket)];
    if kind == "tls-port" {
        lines.extend([("port", "0"), ("tls-port", &port)]);
    } else {
        lines.push(("port", &port));
    }
    lines.extend(if kind == "sentinel" { &[] } else { DEFAULTS });
    lines.extend(options);
    let line = |(name, value): &(&str, &str)| match *value {
        "" => format!("{name} \"\"\n"),
        value => format!("{name} {value}\n"),
    };
    lines.iter().map(line).collect()
}

/// Of the tests' own authority: `ca.pem`, and `server.pem` and `server.key` for 127.0.0.1.
pub(crate) fn tls_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/oidc/tls").join(name)
}
