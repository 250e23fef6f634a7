//! A Redis for two processes, where one is installed.

use std::{io, net::TcpListener, process::Command};

use super::backstage::{Backstage, Child, output};

/// The programs that will do, in the order in which they are looked for.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// The oldest that behalf works with.
const OLDEST: (u32, u32) = (6, 2);
/// How messages name it.
const NAME: &str = "redis";
/// Somebody may take the port that was free a moment ago.
const ATTEMPTS: usize = 5;

/// A server on loopback, with a password and without a file.
pub(super) struct Redis {
    /// What it calls itself.
    pub(super) version: String,
    pub(super) address: String,
    /// It runs as long as this is held.
    pub(super) child: Child,
}

/// Starts one. The error says why there is none, in a few words.
pub(super) async fn start(backstage: &Backstage, password: &str) -> Result<Redis, String> {
    let (program, version) = installed().await?;
    for _ in 0..ATTEMPTS {
        let port = free_port().map_err(|error| error.to_string())?;
        let config =
            format!("bind 127.0.0.1\nport {port}\nsave \"\"\nappendonly no\nlogfile \"\"\nrequirepass {password}\n");
        let config = backstage.write("redis.conf", config)?;
        let mut command = backstage.command(NAME, program)?;
        command.arg(config);
        let mut child = backstage.start(NAME, command)?;
        let ready = child.line(|line| {
            let taken = line.contains("Address already in use");
            (taken || line.contains("Ready to accept connections")).then_some(!taken)
        });
        if ready.await? {
            return Ok(Redis { version, address: format!("127.0.0.1:{port}"), child });
        }
    }
    Err("no port is free for Redis".to_owned())
}

/// The program, and what it calls itself.
async fn installed() -> Result<(&'static str, String), String> {
    for program in PROGRAMS {
        let mut command = Command::new(program);
        command.arg("--version");
        let said = match output(command).await {
            Ok(said) => String::from_utf8_lossy(&said.stdout).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("{program}: {error}")),
        };
        let version = said.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("of no version");
        if !is_new_enough(version) {
            return Err(format!("{program} {version} is too old"));
        }
        return Ok((program, format!("{program} {version}")));
    }
    Err("no redis-server is installed".to_owned())
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= OLDEST,
        _ => false,
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, enough) in
            [("6.2.0", true), ("6.0.16", false), ("5.0.14", false), ("7.0.15", true), ("10.1.0", true), ("x", false)]
        {
            assert_eq!(is_new_enough(version), enough, "{version}");
        }
    }
}
