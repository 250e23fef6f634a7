//! User directories, one folder each, and the decorators around them.
//!
//! `embedded` answers from this process, and is a [`Directory`](crate::ports::directory::Directory) itself. Those
//! elsewhere are [`entries`], put together as `Timed(Coalesced(Guarded(entries)))`: each call has its deadline, and a
//! directory that doesn't answer isn't asked (`guarded`); who asks the same shares a call (`coalesced`); each caller has
//! his own time-out, and who gives up leaves the shared call to the others (`timed`). What people are shown is asked
//! through `shown`, which may keep answers for a while; what decides never does.

pub mod breaker;
pub mod coalesced;
pub mod embedded;
pub mod entries;
pub mod guarded;
pub mod ldap;
pub mod okta;
pub mod rest;
pub mod scim;
pub mod shown;
pub mod timed;
mod turns;
