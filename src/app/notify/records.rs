//! The records of notifications, and how they are found.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{
    app::records::{KEEP, droppable, encode, millis},
    domain::{
        ids::RecordId,
        notice::{Channel, Notification, State},
    },
    ports::store::{Index, IndexRow, Key, Kind, Put, StoreError},
};

const NOTIFICATION: Kind = Kind(17);
const CURSOR: Kind = Kind(18);

const LIST_DUE: u8 = 14;
const LIST_BY_SUBJECT: u8 = 15;
const LIST_BY_STATE: u8 = 16;

/// Key of a notification.
pub fn notification_key(id: RecordId) -> Key {
    Key { kind: NOTIFICATION, id }
}

/// Key of the reader's place in the outbox.
pub fn cursor_key() -> Key {
    Key { kind: CURSOR, id: RecordId::natural(&["notifications"]) }
}

/// Those that wait to be sent through a channel, by when.
pub fn due(channel: &Channel) -> Index {
    owned(LIST_DUE, &channel.to_string())
}

/// Those about one thing, in the order of what happened.
pub fn about(subject: &str) -> Index {
    owned(LIST_BY_SUBJECT, subject)
}

/// Those in a state, newest first.
pub fn in_state(name: &str) -> Index {
    owned(LIST_BY_STATE, name)
}

fn owned(list: u8, owner: &str) -> Index {
    Index { list, owner: Sha256::digest(owner.as_bytes()).into() }
}

/// The record of a notification.
pub fn put(notification: &Notification) -> Result<Put, StoreError> {
    let (facts, end) = (&notification.facts, kept_until(notification));
    let mut indexes = vec![
        IndexRow { index: in_state(notification.state.name()), sort: u64::MAX - millis(notification.made) },
        IndexRow { index: droppable(), sort: millis(end) },
    ];
    if let State::Waiting { next } = notification.state {
        indexes.push(IndexRow { index: due(&notification.channel), sort: millis(next) });
    }
    if let Some(subject) = &facts.subject {
        indexes.push(IndexRow { index: about(&subject.id), sort: facts.seq });
    }
    let key = notification_key(notification.id().0);
    Ok(Put { key, body: encode(notification)?, live_until: None, drop_at: Some(end), indexes })
}

/// Counted from its last change, so that what was asked for again isn't dropped before it is tried.
fn kept_until(notification: &Notification) -> Timestamp {
    let from = match notification.state {
        State::Waiting { next } => next,
        State::Sent { at } | State::Dead { at } | State::Unreachable { at } => at,
    };
    from.saturating_add(KEEP).unwrap_or(Timestamp::MAX)
}
