//! Stores: the embedded one, and what is wrapped around any of them.

pub mod embedded;
pub mod timed;
