//! Identity providers, one folder each.

pub mod okta;
