//! Sign and approve: keys, challenges, signatures, and what an outsider can verify.

pub(super) mod client;
mod evidence;
mod keys;
mod misuse;
mod votes;
