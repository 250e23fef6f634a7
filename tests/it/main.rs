//! The one integration test binary.
#![expect(clippy::unwrap_used, reason = "a test that panics fails")]
#![expect(missing_docs, reason = "tests say in their names what they show")]

mod architecture;
mod contract;
mod oidc;
mod okta;
