//! The binary as an operator meets it.
