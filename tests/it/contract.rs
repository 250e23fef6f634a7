//! One suite over every adapter of a port.

mod embedded;
pub(crate) mod redis;
pub(crate) mod stores;
