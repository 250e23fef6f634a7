//! The rules of delegation, pure: no async, no I/O, no clock, no randomness. Time and ids come in as parameters.

pub mod application;
pub mod approval;
pub mod audit;
pub mod bytes;
pub mod canonical;
pub mod chain;
pub mod claims;
pub mod delegation;
pub mod hex;
pub mod hook;
pub mod idempotency;
pub mod ids;
pub mod jws;
pub mod jwt;
pub mod lock;
pub mod notice;
pub mod otp;
pub mod reason;
pub mod reservation;
pub mod rule;
pub mod shared_account;
pub mod text;
pub mod trace;
pub mod user;
