//! The sealed audit trail: a chain of hashes over a tenant's events, and the form in which it leaves the house.
//!
//! An entry's hash covers its number, the hash before it, and its event in canonical JSON (RFC 8785), so whoever
//! knows one hash knows everything before it. What the chain alone can't show is that all of it was made anew: that
//! takes a hash, or a signed [`Checkpoint`], that is kept where whoever owns the data can't reach it.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use sha2::{Digest as _, Sha256};

use super::{
    audit::{Code, Event},
    canonical::{canonical_value, is_plain_object},
    hex::{hex, unhex},
    ids::TenantName,
};

mod checkpoint;
mod keys;
mod verify;

pub use checkpoint::{Checkpoint, Unsigned};
pub use keys::{KeyId, Keyring, PublicKey, Rotation, Signature, VerifySignature};
pub use verify::{Bad, Report, Settings, Start, Verifier, Wrong};

/// Begins what is hashed for a tenant's first `prev`.
const CHAIN: &[u8] = b"da-audit-chain-v1\0";
/// Begins what is hashed for an entry.
const ENTRY: &[u8] = b"da-audit-entry-v1\0";

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Not JSON, or not of the fields expected.
    #[error("can't be read: {0}")]
    Unreadable(String),
    /// The same content has another spelling: white space, order of fields, a repeated field, an escape.
    #[error("is not in canonical form")]
    NotCanonical,
    /// Not a hash, key or signature in its one spelling.
    #[error("is not of the expected form")]
    Spelling,
}

/// A SHA-256, written `sha256:` and 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Of a tag and what follows it; an empty tag for bare content.
    pub fn of(tag: &[u8], content: &[u8]) -> Self {
        Self(Sha256::new().chain_update(tag).chain_update(content).finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        text.strip_prefix("sha256:").and_then(unhex).map(Self).ok_or(FormError::Spelling)
    }
}

impl TryFrom<String> for Digest {
    type Error = FormError;
    fn try_from(text: String) -> Result<Self, FormError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// How far a tenant's events are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedHead {
    /// The number of the last sealed event; 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

impl SealedHead {
    /// Before the first event.
    pub fn genesis(tenant: &TenantName) -> Self {
        Self { seq: 0, hash: genesis(tenant) }
    }
}

/// What stands as `prev` in a tenant's first entry.
pub fn genesis(tenant: &TenantName) -> Digest {
    Digest::of(CHAIN, format!("tenant={tenant}").as_bytes())
}

/// An event in canonical form, with what a verifier reads of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEvent {
    json: String,
    /// Whose it says it is.
    pub tenant: Option<TenantName>,
    /// When it says it was.
    pub time: Option<Timestamp>,
    /// The change of signing key that it tells of.
    pub rotation: Option<Rotation>,
    /// The last entry that it says was dropped.
    pub trimmed: Option<u64>,
}

impl SealedEvent {
    /// Takes an event as the store has it, in any spelling.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        as_written(body).map_or_else(|| Self::read_any(body), Ok)
    }

    /// The same for what this version doesn't write.
    fn read_any(body: &[u8]) -> Result<Self, FormError> {
        let value: Value = serde_json::from_slice(body).map_err(|error| FormError::Unreadable(error.to_string()))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let told = text("code").zip(value.get("details").and_then(Value::as_object));
        Ok(Self {
            json: canonical_value(&value)?,
            tenant: text("tenant").and_then(|name| TenantName::parse(name).ok()),
            time: text("time").and_then(|time| time.parse().ok()),
            rotation: told.and_then(|(code, details)| Rotation::of_event(code, details)),
            trimmed: told.and_then(|(code, details)| trimmed(code, details)),
        })
    }

    /// The event in canonical JSON.
    pub fn json(&self) -> &str {
        &self.json
    }
}

/// The event, if the bytes are just what is written for it now: that is its canonical form if its details are plain, and
/// far sooner seen than made.
fn as_written(body: &[u8]) -> Option<SealedEvent> {
    let event: Event = serde_json::from_slice(body).ok()?;
    let json = serde_json::to_string(&event).ok()?;
    (json.as_bytes() == body && is_plain_object(&event.details)).then(|| SealedEvent {
        json,
        rotation: Rotation::of_event(&event.code, &event.details),
        trimmed: trimmed(&event.code, &event.details),
        tenant: Some(event.tenant),
        time: Some(event.time),
    })
}

fn trimmed(code: &str, details: &Map<String, Value>) -> Option<u64> {
    details.get("up_to").filter(|_| code == Code::AuditTrimmed.code())?.as_u64()
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event's number.
    pub seq: u64,
    /// The hash of the entry before it, or the genesis.
    pub prev: Digest,
    /// The hash that is claimed for this one.
    pub hash: Digest,
    /// The event.
    pub event: SealedEvent,
}

impl Entry {
    /// Links an event to the head of the chain.
    pub fn seal(head: SealedHead, event: SealedEvent) -> Self {
        let mut entry = Self { seq: head.seq + 1, prev: head.hash, hash: head.hash, event };
        entry.hash = entry.computed();
        entry
    }

    /// The hash that the content has.
    pub fn computed(&self) -> Digest {
        Digest::of(ENTRY, self.hashed().as_bytes())
    }

    /// The chain's head behind this entry.
    pub fn head(&self) -> SealedHead {
        SealedHead { seq: self.seq, hash: self.hash }
    }

    /// JCS of `{seq, prev, event}`, put together around the event, which is in canonical form already.
    fn hashed(&self) -> String {
        format!(r#"{{"event":{},"prev":"{}","seq":{}}}"#, self.event.json, self.prev, self.seq)
    }

    /// The entry as a line of an export, without the line's end: JCS of `{seq, prev, hash, event}`.
    pub fn line(&self) -> String {
        format!(r#"{{"event":{},"hash":"{}","prev":"{}","seq":{}}}"#, self.event.json, self.hash, self.prev, self.seq)
    }

    /// Reads [`Entry::line`] back. Any other spelling of the same content is refused, so that no two readers can
    /// see different things in one line.
    pub fn parse(line: &str) -> Result<Self, FormError> {
        let wire: Wire<'_> = serde_json::from_str(line).map_err(|error| FormError::Unreadable(error.to_string()))?;
        let event = SealedEvent::read(wire.event.get().as_bytes())?;
        let entry = Self { seq: wire.seq, prev: wire.prev, hash: wire.hash, event };
        if entry.line() == line { Ok(entry) } else { Err(FormError::NotCanonical) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    hash: Digest,
    prev: Digest,
    seq: u64,
}

#[cfg(test)]
mod tests;
