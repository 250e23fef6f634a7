//! What the sealed audit trail needs from outside: the signing key, and the places it is delivered to.

pub mod file;
pub mod signing;
pub mod stdout;
