//! How enrolments and failed attempts are stored.

use jiff::Timestamp;

use crate::{
    app::records::{droppable, encode, millis},
    domain::{
        ids::{ApplicationUri, RecordId, UserId},
        otp::{Attempts, Enrolment},
    },
    ports::store::{IndexRow, Key, Kind, Put, StoreError},
};

const ENROLMENT: Kind = Kind(14);
const ATTEMPTS: Kind = Kind(15);

/// Key of a user's enrolment.
pub(super) fn key(user: &UserId) -> Key {
    Key { kind: ENROLMENT, id: RecordId::natural(&["otp", user.as_str()]) }
}

/// Where nothing is, for who reads all the same.
pub(super) fn nobody() -> Key {
    Key { kind: ENROLMENT, id: RecordId::natural(&["otp-nobody"]) }
}

/// What failed attempts are counted by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted<'a> {
    /// An account that the application has.
    Account(&'a UserId),
    /// A name that means none.
    Name(&'a str),
}

/// Key of the failed attempts at one application.
pub(super) fn attempts_key(application: &ApplicationUri, counted: Counted<'_>) -> Key {
    let (sort, text) = match counted {
        Counted::Account(id) => ("account", id.as_str()),
        Counted::Name(name) => ("name", name),
    };
    Key { kind: ATTEMPTS, id: RecordId::natural(&["otp-attempts", application.as_str(), sort, text]) }
}

/// The record of an enrolment. It stands until its user removes it.
pub(super) fn put(enrolment: &Enrolment) -> Result<Put, StoreError> {
    let (key, body) = (key(&enrolment.user), encode(enrolment)?);
    Ok(Put { key, body, live_until: None, drop_at: None, indexes: Vec::new() })
}

/// The record of failed attempts, for as long as they count.
pub(super) fn put_attempts(key: Key, attempts: &Attempts, now: Timestamp) -> Result<Put, StoreError> {
    let end = attempts.end(now);
    let indexes = vec![IndexRow { index: droppable(), sort: millis(end) }];
    Ok(Put { key, body: encode(attempts)?, live_until: None, drop_at: Some(end), indexes })
}
