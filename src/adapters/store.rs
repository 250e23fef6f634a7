//! Stores: the embedded one.
