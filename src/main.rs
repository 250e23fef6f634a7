//! behalf: the binary.

fn main() {}
