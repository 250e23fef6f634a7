//! User directories, one folder each, and the decorators around them.
//!
//! A tenant's directory is put together as `Timed(Coalesced(directory))`: each caller has his own time-out, and who
//! gives up leaves the shared call to the others.

pub mod coalesced;
pub mod embedded;
pub mod timed;
