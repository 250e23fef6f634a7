//! How approvers' keys and the nonces of their challenges are stored and listed.

use jiff::SignedDuration;

use super::lasting;
use crate::{
    app::records::{droppable, encode, millis},
    domain::{
        approval::{challenge::Challenge, jwk::Kid, keys::KeyRing, signature::Nonce},
        chain::Digest,
        ids::{RecordId, UserId},
    },
    ports::store::{Index, IndexRow, Key, Kind, Put, StoreError},
};

const KEYS: Kind = Kind(10);
const NONCE: Kind = Kind(11);

const LIST_PENDING: u8 = 12;

/// How long a challenge is kept after its end, so that a late second use is told what it is.
const KEPT: SignedDuration = SignedDuration::from_mins(10);

/// Key of all keys of one person.
pub fn ring_key(owner: &UserId) -> Key {
    Key { kind: KEYS, id: RecordId::natural(&["keys of", owner.as_str()]) }
}

/// Key of the record that tells whose a key is: one key is never two people's.
pub fn pointer_key(kid: &Kid) -> Key {
    Key { kind: KEYS, id: RecordId::natural(&["key", &kid.to_string()]) }
}

/// Key of a challenge: its nonce's hash.
pub fn nonce_key(nonce: &Nonce) -> Key {
    Key { kind: NONCE, id: RecordId { time: 0, hash: Digest::of(b"", &nonce.0).0 } }
}

/// People with a key that waits for approval, those who wait longest first.
pub fn pending() -> Index {
    Index { list: LIST_PENDING, owner: [0; 32] }
}

/// The record of somebody's keys. It has no end: it tells for good which keys were his.
pub fn put_ring(ring: &KeyRing) -> Result<Put, StoreError> {
    let waits = ring.keys.iter().filter(|key| key.state == crate::domain::approval::keys::KeyState::Pending);
    let since = waits.map(|key| millis(key.registered)).min();
    let indexes = since.map(|sort| IndexRow { index: pending(), sort }).into_iter().collect();
    Ok(Put { indexes, ..lasting(ring_key(&ring.owner.id), ring)? })
}

/// The record that tells whose a key is.
pub fn put_pointer(kid: &Kid, owner: &UserId) -> Result<Put, StoreError> {
    lasting(pointer_key(kid), owner)
}

/// The record of a challenge.
pub fn put_challenge(nonce: &Nonce, challenge: &Challenge) -> Result<Put, StoreError> {
    let drop_at = challenge.expires.saturating_add(KEPT).unwrap_or(challenge.expires);
    Ok(Put {
        key: nonce_key(nonce),
        body: encode(challenge)?,
        live_until: Some(challenge.expires),
        drop_at: Some(drop_at),
        indexes: vec![IndexRow { index: droppable(), sort: millis(drop_at) }],
    })
}
