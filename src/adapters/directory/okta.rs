//! Okta: a user's grants are the attribute `delegatedAgents` of his profile.

pub mod auth;
pub mod limits;
