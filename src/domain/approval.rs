//! A human's decision that a rule can demand before anybody acts.

pub mod request;
