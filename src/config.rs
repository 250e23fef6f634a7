//! The configuration: typed sections, read from file and environment in this room only.
