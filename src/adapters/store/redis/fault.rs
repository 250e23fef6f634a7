//! What can go wrong with a Redis server, and what that means for a commit that was sent.

use std::error::Error;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::Address;
use crate::ports::store::StoreError;

/// Why there is no answer, or not the wanted one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// Nothing was executed: no connection, or the server said so.
    #[error("{0}")]
    Away(String),
    /// Nothing was executed, and this server won't do it: it is no master any more, or not yet, or its cluster is down.
    #[error("{0}")]
    Elsewhere(String),
    /// Nothing was executed: the server takes no writes for now. It may answer reads.
    #[error("{0}")]
    Unwritable(String),
    /// Nothing was executed, and nothing will be before somebody changes a setting.
    #[error("{0}")]
    Refused(String),
    /// Another node has the slot. Nothing was executed.
    #[error("{0}")]
    Moved(String),
    /// The server doesn't know the script any more. Nothing was executed.
    #[error("{0}")]
    Forgotten(String),
    /// Sent, and no answer: it may or may not have been executed.
    #[error("{0}")]
    Lost(String),
    /// As lost, but the connection may be well: no answer in time, or an error that nobody expects.
    #[error("{0}")]
    Silent(String),
    /// Another program's data lies under our names. Nothing was executed.
    #[error("{0}")]
    Foreign(String),
}

impl Fault {
    /// True if only a new connection, perhaps to another server, can help.
    pub(super) fn ends_the_link(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Elsewhere(_))
    }

    /// True if the server takes no writes for now; it may answer reads.
    pub(super) fn refuses_writes(&self) -> bool {
        matches!(self, Self::Unwritable(_))
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Away(text)
            | Fault::Elsewhere(text)
            | Fault::Unwritable(text)
            | Fault::Refused(text)
            | Fault::Moved(text)
            | Fault::Forgotten(text) => Self::Unavailable(text),
            Fault::Lost(text) | Fault::Silent(text) => Self::Unknown(text),
            Fault::Foreign(text) => Self::Unreadable(text),
        }
    }
}

const NOT_ALLOWED: &str = "the user of BEHALF_REDIS_USERNAME may not do this: allow it ~behalf:* &behalf:*:c and the \
                           commands in the documentation";

/// What a code of the server's means, where nothing was executed.
type Means = fn(String) -> Fault;

/// What the server says when nothing was executed, what it means, and what an operator should do about it. Redis 6.2
/// wraps what a script ran into in a text of its own, so the code is looked for anywhere.
const REFUSALS: [(&str, Means, &str); 12] = [
    ("OOM", Fault::Unwritable, "Redis is full: raise its maxmemory, or look for what else fills it"),
    ("READONLY", Fault::Elsewhere, "the server is a replica now"),
    ("LOADING", Fault::Elsewhere, "the server is still reading its data"),
    ("MASTERDOWN", Fault::Elsewhere, "the server is a replica without its master"),
    ("CLUSTERDOWN", Fault::Elsewhere, "the cluster is down, or nobody has the tenant's slot"),
    ("TRYAGAIN", Fault::Away, "the tenant's slot is being moved"),
    ("ASK", Fault::Away, "the tenant's slot is being moved"),
    ("MISCONF", Fault::Unwritable, "Redis can't save its data and takes no writes: look at its log and disk"),
    ("NOREPLICAS", Fault::Unwritable, "fewer replicas are attached than min-replicas-to-write asks for"),
    ("BUSY", Fault::Away, "Redis is busy with another script"),
    ("NOPERM", Fault::Refused, NOT_ALLOWED),
    ("NOAUTH", Fault::Refused, "Redis wants a password: set BEHALF_REDIS_PASSWORD or BEHALF_REDIS_PASSWORD_FILE"),
];

/// What an error of a command means.
pub(super) fn of(error: &RedisError) -> Fault {
    if error.is_timeout() {
        return Fault::Silent("no answer in time (BEHALF_REDIS_RESPONSE_TIMEOUT)".to_owned());
    }
    let text = explain(error);
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::Moved) => return Fault::Moved(text),
        ErrorKind::Server(ServerErrorKind::NoScript) => return Fault::Forgotten(text),
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::UnexpectedReturnType => return Fault::Lost(text),
        _ => {}
    }
    if text.contains("WRONGTYPE") {
        return Fault::Foreign(format!("a key that begins with `behalf:` is another program's: {text}"));
    }
    // As Redis 6.2 says it of what a script tries, without a code.
    if text.contains("The user executing the script can't") {
        return Fault::Refused(format!("{NOT_ALLOWED} ({text})"));
    }
    let said = |code: &str| text.split(|c: char| !c.is_ascii_uppercase()).any(|word| word == code);
    match REFUSALS.iter().find(|(code, ..)| said(code)) {
        // What wasn't allowed stands in the server's own words.
        Some((code @ ("NOPERM" | "NOAUTH"), means, what)) => means(format!("{what} ({code}: {text})")),
        Some((code, means, what)) => means(format!("{what} ({code})")),
        // Whatever this is, it may have come after the first write. The server is there, so the link is well.
        None => Fault::Silent(text),
    }
}

/// What an error of a new connection means: nothing of ours was sent yet.
pub(super) fn of_greeting(address: &Address, error: &RedisError) -> Fault {
    let text = explain(error);
    if error.kind() == ErrorKind::AuthenticationFailed || text.contains("WRONGPASS") {
        return Fault::Refused(format!(
            "{address} doesn't take the user and password of BEHALF_REDIS_USERNAME and BEHALF_REDIS_PASSWORD ({text})"
        ));
    }
    if text.contains("switch database") {
        return Fault::Refused(format!("{address} has no such database as BEHALF_STORE names ({text})"));
    }
    match of(error) {
        Fault::Lost(text) | Fault::Silent(text) => Fault::Away(format!("{address}: {text}")),
        other => other,
    }
}

/// What it means that no connection came about.
pub(super) fn of_connection(address: &Address, error: &std::io::Error, tls: bool) -> Fault {
    let text = explain(error);
    let hint = if text.contains("UnknownIssuer") {
        "; give the certificate of who signed it in BEHALF_CA_FILE"
    } else if text.contains("not valid for name") {
        "; name the server in BEHALF_STORE as its certificate does"
    } else if text.contains("NoSuchFile") || text.contains("failed to lookup") {
        "; is the host in BEHALF_STORE right?"
    } else if tls && error.kind() == std::io::ErrorKind::TimedOut {
        "; it may be that it doesn't speak TLS: then BEHALF_STORE is `redis://…`, or `…?tls=false`"
    } else if tls && (text.contains("corrupt message") || text.contains("eof")) {
        "; it doesn't seem to speak TLS: BEHALF_STORE without it is `redis://…`, or `…?tls=false`"
    } else {
        " (BEHALF_STORE)"
    };
    Fault::Away(format!("{address}: {text}{hint}"))
}

/// It listens, and that is all.
pub(super) fn unanswered(address: &Address) -> Fault {
    Fault::Away(format!("{address} took the connection, but doesn't answer (BEHALF_STORE)"))
}

/// As [`of_greeting`], with a hint for whoever speaks plainly to a server that wants TLS: that one hangs up.
pub(super) fn of_first_word(address: &Address, error: &RedisError, tls: bool) -> Fault {
    let fault = if error.is_timeout() { unanswered(address) } else { of_greeting(address, error) };
    match fault {
        Fault::Away(text) if !tls && (error.is_io_error() || error.is_timeout()) => {
            Fault::Away(format!("{text}; if it wants TLS, BEHALF_STORE is `rediss://…`, or `…?tls=true`"))
        }
        other => other,
    }
}

impl Fault {
    /// The same of a sentinel, whose users are others.
    pub(super) fn of_sentinel(self) -> Self {
        let text = |text: String| {
            ["USERNAME", "PASSWORD"].iter().fold(text, |text, name| {
                text.replace(&format!("BEHALF_REDIS_{name}"), &format!("BEHALF_REDIS_SENTINEL_{name}"))
            })
        };
        match self {
            Self::Refused(why) => Self::Refused(text(why)),
            Self::Away(why) => Self::Away(text(why)),
            other => other,
        }
    }
}

/// For calls where there is no connection to choose from.
pub(super) fn no_lane() -> Fault {
    Fault::Away("there is no connection".to_owned())
}

/// An error with its causes.
pub(super) fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> RedisError {
        let said = format!("-{code} said the server\r\n");
        let value = redis::parse_redis_value(said.as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    #[test]
    fn every_refusal_has_its_consequence() {
        for (code, means, what) in REFUSALS {
            let fault = of(&error(code));
            assert_eq!(
                std::mem::discriminant(&fault),
                std::mem::discriminant(&means(String::new())),
                "{code}: {fault}"
            );
            assert!(fault.to_string().starts_with(what) && fault.to_string().contains(code), "{code}: {fault}");
            let ends = ["READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN"].contains(&code);
            assert_eq!(fault.ends_the_link(), ends, "{code}");
            assert_eq!(fault.refuses_writes(), ["OOM", "MISCONF", "NOREPLICAS"].contains(&code), "{code}");
            assert!(matches!(StoreError::from(fault), StoreError::Unavailable(_)), "{code}: nothing was executed");
        }
        assert!(matches!(of(&error("ERR")), Fault::Silent(_)), "it may have come after the first write");
    }

    #[test]
    fn a_word_of_a_hint_is_no_code() {
        let away = Fault::Away("10.0.0.1:6379: LOADING the CA failed (OOM)".to_owned());
        assert!(!away.ends_the_link() && !away.refuses_writes());
    }
}
