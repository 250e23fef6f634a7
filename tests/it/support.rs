//! What tests stand on: fakes and models of the ports.

pub(crate) mod fake_directory;
pub(crate) mod model_store;
