//! User directories, one folder each, and the decorators around them.
//!
//! A tenant's directory is put together as `Timed(Coalesced(directory))`: each caller has his own time-out, and who
//! gives up leaves the shared call to the others. What people are shown of it is asked through `shown`, which may keep
//! answers for a while; what decides never does.

pub mod coalesced;
pub mod embedded;
pub mod shown;
pub mod timed;
