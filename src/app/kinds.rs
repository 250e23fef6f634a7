//! What the kinds of records are called in messages. Their numbers stand where each kind is written; this is the list.

use std::fmt::{self, Display};

use crate::ports::store::Kind;

/// Follows "a record" in messages; made up only where there is something to say.
pub fn of(kind: Kind) -> impl Display {
    fmt::from_fn(move |f| write!(f, " of kind {} ({})", kind.0, name(kind)))
}

/// The name of a kind; one that this version doesn't know is of a newer one.
pub fn name(kind: Kind) -> &'static str {
    match kind.0 {
        1 => "epoch",
        2 => "delegation",
        3 => "an agent's pending delegations",
        4 => "lock",
        5 => "answer to a hook",
        6 => "approval",
        7 => "a requester's open approvals",
        8 => "shared account",
        9 => "what a user holds",
        10 => "an approver's keys",
        11 => "challenge",
        13 => "used token of an application",
        14 => "one-time codes of a user",
        15 => "wrong one-time codes",
        16 => "review of an emergency",
        17 => "notification",
        18 => "notifications made so far",
        19 => "answer to an idempotency key",
        20 => "grants",
        40 => "end of the sealed trail",
        41 => "hashes of the trail",
        42 => "checkpoint",
        43 => "signing keys",
        44 => "events delivered so far",
        45 => "beginning of the trail",
        255 => "lease",
        _ => UNKNOWN,
    }
}

/// In place of a name that there is none for.
pub const UNKNOWN: &str = "unknown here";

#[cfg(test)]
mod tests;
