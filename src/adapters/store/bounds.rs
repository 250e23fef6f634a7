//! What a change must be before any store is asked to apply it.

use crate::ports::store::{Change, Key, Kind};

/// The kind of a store's own records (leases). Changes can't write it.
pub(super) const RESERVED: Kind = Kind(255);
/// The most rows of a page, of an index or of events.
pub(super) const MOST_LISTED: usize = 1000;
/// The most bytes of a record's body.
const MOST_BYTES: usize = 64 * 1024;
/// The most index rows of a record.
const MOST_ROWS: usize = 16;

/// Checks what a change must be before it is sent.
pub(super) fn check(change: &Change) -> Result<(), String> {
    for put in &change.puts {
        if put.body.len() > MOST_BYTES {
            return Err(format!("a record's body has {} bytes, at most {MOST_BYTES} are kept", put.body.len()));
        }
        if put.indexes.len() > MOST_ROWS {
            return Err(format!("a record has {} index rows, at most {MOST_ROWS} are kept", put.indexes.len()));
        }
    }
    let mut keys: Vec<Key> = change.puts.iter().map(|put| put.key).chain(change.drops.iter().copied()).collect();
    if keys.iter().any(|key| key.kind == RESERVED) {
        return Err(format!("records of kind {} are the store's own", RESERVED.0));
    }
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("a change names the same record twice".to_owned());
    }
    Ok(())
}
