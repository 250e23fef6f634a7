//! The smallest client: one command on a connection of its own.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// A server that is paused, or behind a proxy that swallows, doesn't hold the test up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer (of a list: one element per line), or what is wrong. `as_rig`: signs in as the tests' own user.
pub(super) fn ask(socket: &Path, as_rig: bool, command: &[&str]) -> Result<String, String> {
    let unreachable = |error: io::Error| error.to_string();
    let mut stream = UnixStream::connect(socket).map_err(unreachable)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(unreachable)?;
    let mut reader = BufReader::new(stream.try_clone().map_err(unreachable)?);
    let mut answer = |command: &[&str]| {
        stream.write_all(&encode(command)).map_err(unreachable)?;
        read(&mut reader).map_err(unreachable)?
    };
    if as_rig {
        answer(&["AUTH", "rig", "any"])?;
    }
    answer(command)
}

/// A command in Redis's protocol.
pub(in crate::support) fn encode(command: &[&str]) -> Vec<u8> {
    let words = command.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", command.len(), words.collect::<String>()).into_bytes()
}

fn read(from: &mut impl BufRead) -> io::Result<Result<String, String>> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    let Some(kind) = line.chars().next() else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    let rest = &line[kind.len_utf8()..];
    match kind {
        '+' | ':' => Ok(Ok(rest.to_owned())),
        '-' => Ok(Err(rest.to_owned())),
        '$' | '*' if rest == "-1" => Ok(Ok(String::new())),
        '$' => {
            let mut text = String::new();
            let length = number(rest)? + 2;
            from.by_ref().take(length).read_to_string(&mut text)?;
            Ok(Ok(text.trim_end_matches("\r\n").to_owned()))
        }
        '*' => {
            let elements = (0..number(rest)?).map(|_| read(from)).collect::<io::Result<Result<Vec<_>, _>>>()?;
            Ok(elements.map(|elements| elements.join("\n")))
        }
        _ => Err(io::Error::other(format!("not Redis's protocol: {line}"))),
    }
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}
