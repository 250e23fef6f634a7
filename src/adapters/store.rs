//! Stores: the embedded one, and what is wrapped around any of them.

mod bounds;
pub mod embedded;
mod format;
pub mod moving;
pub mod redis;
pub mod timed;
