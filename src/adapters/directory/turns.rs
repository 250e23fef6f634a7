//! Changes of one user take turns here, so that only other processes come between them.

use std::{
    array,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
};

use tokio::sync::{Mutex, MutexGuard};

use crate::domain::ids::UserId;

/// Users share a queue with others; more queues would serve nobody.
const QUEUES: usize = 64;

/// Queues of changes.
pub(super) struct Turns([Mutex<()>; QUEUES]);

impl Default for Turns {
    fn default() -> Self {
        Self(array::from_fn(|_| Mutex::default()))
    }
}

impl Turns {
    /// The turn of a change of this user; it ends when it is dropped.
    pub(super) async fn of(&self, user: &UserId) -> MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(user.as_str());
        let [byte, ..] = hash.to_le_bytes();
        self.0[usize::from(byte) % QUEUES].lock().await
    }
}
