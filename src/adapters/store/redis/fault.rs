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
        match self {
            Self::Lost(_) => true,
            Self::Away(text) => {
                ["READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN"].iter().any(|code| text.contains(code))
            }
            Self::Moved(_) | Self::Forgotten(_) | Self::Refused(_) | Self::Silent(_) | Self::Foreign(_) => false,
        }
    }

    /// True if the server takes no writes for now; it may answer reads.
    pub(super) fn refuses_writes(&self) -> bool {
        let Self::Away(text) = self else { return false };
        ["OOM", "MISCONF", "NOREPLICAS"].iter().any(|code| text.ends_with(&format!("({code})")))
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Away(text) | Fault::Refused(text) | Fault::Moved(text) | Fault::Forgotten(text) => {
                Self::Unavailable(text)
            }
            Fault::Lost(text) | Fault::Silent(text) => Self::Unknown(text),
            Fault::Foreign(text) => Self::Unreadable(text),
        }
    }
}

const NOT_ALLOWED: &str = "the user of BEHALF_REDIS_USERNAME may not do this: allow it ~behalf:* &behalf:*:c and the \
                           commands in the documentation";

/// What the server says when nothing was executed, and what an operator should do about it. Redis 6.2 wraps what a
/// script ran into in a text of its own, so the code is looked for anywhere.
const REFUSALS: [(&str, &str); 12] = [
    ("OOM", "Redis is full: raise its maxmemory, or look for what else fills it"),
    ("READONLY", "the server is a replica now"),
    ("LOADING", "the server is still reading its data"),
    ("MASTERDOWN", "the server is a replica without its master"),
    ("CLUSTERDOWN", "the cluster is down, or nobody has the tenant's slot"),
    ("TRYAGAIN", "the tenant's slot is being moved"),
    ("ASK", "the tenant's slot is being moved"),
    ("MISCONF", "Redis can't save its data and takes no writes: look at its log and disk"),
    ("NOREPLICAS", "fewer replicas are attached than min-replicas-to-write asks for"),
    ("BUSY", "Redis is busy with another script"),
    ("NOPERM", NOT_ALLOWED),
    ("NOAUTH", "Redis wants a password: set BEHALF_REDIS_PASSWORD or BEHALF_REDIS_PASSWORD_FILE"),
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
    match REFUSALS.iter().find(|(code, _)| said(code)) {
        Some((code @ ("NOPERM" | "NOAUTH"), what)) => Fault::Refused(format!("{what} ({code}: {text})")),
        Some((code, what)) => Fault::Away(format!("{what} ({code})")),
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
