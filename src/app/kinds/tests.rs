//! Records outlive the program that wrote them: each kind's bodies as they were written once are read for ever.
//!
//! `tests/it/fixtures/records/<kind>.jsonl` has them, one on a line. Lines are added, never changed: where this fails, a
//! new field lacks `#[serde(default)]`, or a change needs a new kind.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::*;
use crate::{
    app::{approvals, records, sealed},
    domain::{
        approval::{Approval, challenge::Challenge, keys::KeyRing},
        chain::{Checkpoint, SealedHead},
        delegation::Delegation,
        idempotency::Kept,
        ids::{ApplicationUri, UserId},
        lock::Lock,
        notice::Notification,
        otp::{Attempts, Enrolment},
        reservation::Slot,
    },
};

/// Reads a body and writes it anew.
type Again = fn(&str) -> Value;

/// How each kind is read. Answers (5), hashes (41) and leases (255) are bytes as they are; grants (20) are the embedded
/// directory's, and tested there.
const READERS: &[(u8, Again)] = &[
    (1, again::<records::Epoch>),
    (2, again::<Delegation>),
    (3, again::<records::Roster>),
    (4, again::<Lock>),
    (6, again::<Approval>),
    (7, again::<approvals::records::Roster>),
    (8, again::<Slot>),
    (9, again::<records::Roster>),
    (10, ring_or_pointer),
    (11, again::<Challenge>),
    (13, again::<ApplicationUri>),
    (14, again::<Enrolment>),
    (15, again::<Attempts>),
    (16, again::<approvals::reviews::Review>),
    (17, again::<Notification>),
    (18, again::<sealed::Cursor>),
    (19, again::<Kept>),
    (40, again::<SealedHead>),
    (42, again::<Checkpoint>),
    (43, again::<sealed::SigningKeys>),
    (44, again::<sealed::Cursor>),
    (45, again::<Checkpoint>),
];
const ELSEWHERE: u8 = 20;

fn again<T: Serialize + DeserializeOwned>(body: &str) -> Value {
    let content: T = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    serde_json::to_value(content).unwrap()
}

fn ring_or_pointer(body: &str) -> Value {
    if body.starts_with('"') { again::<UserId>(body) } else { again::<KeyRing>(body) }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/records")
}

/// What of `before` isn't in `after` any more. Fields that are new may be there.
fn lost(before: &Value, after: &Value, at: &str) -> Vec<String> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let member = |(name, value)| lost(value, after.get(name).unwrap_or(&Value::Null), &format!("{at}/{name}"));
            before.iter().flat_map(member).collect()
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            let members = before.iter().zip(after).enumerate();
            members.flat_map(|(nth, (before, after))| lost(before, after, &format!("{at}/{nth}"))).collect()
        }
        _ if before == after => Vec::new(),
        _ => vec![format!("{at}: {before} became {after}")],
    }
}

#[test]
fn every_body_that_was_written_once_is_read() {
    for (kind, again) in READERS {
        let text = fs::read_to_string(folder().join(format!("{kind}.jsonl"))).unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert!(!text.is_empty(), "kind {kind}");
        for line in text.lines() {
            let before: Value = serde_json::from_str(line).unwrap();
            assert_eq!(lost(&before, &again(line), ""), Vec::<String>::new(), "kind {kind}: {line}");
        }
    }
}

#[test]
fn every_kind_that_has_bodies_has_a_reader_and_a_name() {
    let read: BTreeSet<u8> = READERS.iter().map(|(kind, _)| *kind).chain([ELSEWHERE]).collect();
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let there: BTreeSet<u8> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().parse().unwrap()).collect();
    assert_eq!(there, read);
    for kind in there {
        assert_ne!(name(Kind(kind)), UNKNOWN, "{kind}");
    }
}
