//! The API over real HTTP.

mod audit;
mod bad_input;
mod browsers;
mod compat;
mod delegations;
mod grants;
mod idempotency;
mod locks;
mod ops;
mod paths;
mod policy;
mod requests;
mod stolen_token;
