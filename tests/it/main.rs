//! The one integration test binary.
#![expect(clippy::unwrap_used, reason = "a test that panics fails")]

mod architecture;
mod binary;
mod contract;
mod directory;
mod hooks;
mod oidc;
mod oidc_provider;
mod okta;
mod support;
