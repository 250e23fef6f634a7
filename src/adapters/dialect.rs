//! Identity providers, one folder each.
