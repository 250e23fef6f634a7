//! Sign and approve: keys, challenges, signatures, and what an outsider can verify.

mod client;
mod evidence;
mod keys;
mod locked;
mod misuse;
mod votes;
