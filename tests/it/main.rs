//! The one integration test binary.
#![expect(clippy::unwrap_used, reason = "a test that panics fails")]

mod architecture;
mod audit;
mod config;
mod contract;
mod directory;
mod hooks;
mod oidc;
mod okta;
mod support;
