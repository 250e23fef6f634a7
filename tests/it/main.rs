//! The one integration test binary.
#![expect(clippy::unwrap_used, reason = "a test that panics fails")]

mod architecture;
mod config;
mod contract;
mod directory;
mod durability;
mod hooks;
mod oidc;
mod okta;
mod support;
