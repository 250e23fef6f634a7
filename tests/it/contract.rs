//! One suite over every adapter of a port.

pub(crate) mod directories;
mod embedded;
pub(crate) mod redis;
pub(crate) mod stores;
