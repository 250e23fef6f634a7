//! The one integration test binary.
#![expect(clippy::unwrap_used, reason = "a test that panics fails")]

mod api;
mod applications;
mod approvals;
mod architecture;
mod audit;
mod authz_coverage;
mod binary;
mod chart;
mod client;
mod config;
mod contract;
mod deploy;
mod directory;
mod documents;
mod durability;
mod flow;
mod hooks;
mod notify;
mod observability;
mod oidc;
mod oidc_provider;
mod okta;
mod openapi;
mod readme;
mod redis;
mod redis_rig;
mod reservations;
mod scim;
mod support;
