//! behalf: delegated access for identity providers with a token inline hook.
//!
//! # The life of one hook
//!
//! ```text
//! web/hooks.rs              bytes in, at most 256 KiB
//!   Dialect::authenticate   is it the IdP? else 401, empty            adapters/dialect/okta/auth.rs
//!   Dialect::decode         Okta's words into neutral ones            adapters/dialect/okta/request.rs
//! app/answer_hook.rs        no id: untouched, nobody is asked
//!   a task of its own, which no time-out and no hang-up cuts in half  app/answer_hook/attempt.rs
//!     store.read            delegation and epoch, one round trip      ports/store.rs
//!     Delegation::matches   binding first; then state, time, replay   domain/delegation.rs
//!     Pipeline::run         grant, lock, rules: the first no counts   policy.rs, policy/
//!     ClaimsPolicy          what goes into the token                  domain/claims.rs
//!     store.commit          consumed, with answer and audit event:    adapters/store/embedded/
//!                           all or nothing, before anybody is told
//!   Dialect::encode         the decision in Okta's form               adapters/dialect/okta/response.rs
//! ```
//!
//! Why something is refused stands in `domain/reason.rs`, in one table. Imports point inward: `web` and `adapters` to
//! `app`, `policy`, `ports`, `domain`, and never to each other; `boot` connects them.

pub mod adapters;
pub mod app;
pub mod boot;
pub mod cli;
pub mod config;
pub mod demo;
pub mod domain;
pub mod file_mode;
pub mod lifecycle;
pub mod metrics;
pub mod policy;
pub mod ports;
pub mod telemetry;
pub mod trace;
pub mod web;
