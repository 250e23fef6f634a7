//! The outside world behind the ports: identity providers, directories, stores, keys, clock.

pub mod audit;
pub mod cache;
pub mod dialect;
pub mod directory;
pub mod finding;
pub mod http_client;
pub mod oidc;
pub mod okta_admin;
pub mod store;
pub mod system;
pub mod watched;
