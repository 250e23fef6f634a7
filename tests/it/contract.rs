//! One suite over every adapter of a port.

mod embedded;
mod redis;
pub(crate) mod stores;
