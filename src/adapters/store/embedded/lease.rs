//! Leases: records of a kind that changes can't write.

use jiff::{SignedDuration, Timestamp};

use super::fault::Fault;
use crate::{
    adapters::store::{bounds::RESERVED, format::Head},
    domain::ids::RecordId,
    ports::store::Key,
};

/// Where the lease of this name is.
pub(super) fn key(name: &str) -> Key {
    Key { kind: RESERVED, id: RecordId::natural(&["lease", name]) }
}

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) token: u64,
    pub(super) holder: String,
    pub(super) until: Timestamp,
}

impl Held {
    /// Token and holder; the end is the record's `live_until`.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = self.token.to_be_bytes().to_vec();
        body.extend_from_slice(self.holder.as_bytes());
        body
    }

    pub(super) fn decode(head: &Head<'_>) -> Result<Self, Fault> {
        let unreadable = || Fault::Unreadable("a lease is damaged".to_owned());
        let (token, holder) = head.body.split_first_chunk().ok_or_else(unreadable)?;
        let holder = std::str::from_utf8(holder).map_err(|_| unreadable())?.to_owned();
        let until = head.live_until.ok_or_else(unreadable)?;
        Ok(Self { token: u64::from_be_bytes(*token), holder, until })
    }
}

/// What the lease becomes when `holder` asks for it; `None`: another has it.
/// The token of a lease that ran out is kept, so that the next holder's is greater.
pub(super) fn decide(held: Option<Held>, holder: &str, ttl: SignedDuration, now: Timestamp) -> Option<Held> {
    let token = match held {
        None => 1,
        Some(held) if held.holder == holder => held.token,
        Some(held) if held.until <= now => held.token + 1,
        Some(_) => return None,
    };
    let ttl = SignedDuration::from_micros(i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX).max(0));
    let until = now.checked_add(ttl).unwrap_or(Timestamp::MAX);
    Some(Held { token, holder: holder.to_owned(), until })
}
