//! Approvals: people decide first.

mod asking;
mod break_glass;
mod ending;
mod gauges;
mod races;
mod rig;
mod sign;
mod visibility;
mod votes;
mod watching;
