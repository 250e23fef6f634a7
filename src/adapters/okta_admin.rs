//! Okta's set-up through its management API: what a tenant needs for delegations, what it has, and the way from one to
//! the other.
//!
//! `plan` is pure: wish and found state -> list of changes. `change` spells a change as a request. `client` sends it,
//! `find` reads the present state, and `carry_out` does one change after the other. Nothing is ever deleted; what
//! somebody else made is left as it is, and only said.

pub mod carry_out;
pub mod change;
pub mod client;
pub mod find;
pub mod found;
pub mod plan;
pub mod wish;
