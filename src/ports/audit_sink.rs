//! Where sealed entries go besides the store.

use std::io;

use async_trait::async_trait;

/// Takes lines, at least once: after a crash the last ones may come again, the same.
#[async_trait]
pub trait AuditSink: Send + Sync + 'static {
    /// Names its cursor: another name begins from the start.
    fn name(&self) -> &str;

    /// True if what it took stays: then the store need not keep it for ever.
    fn durable(&self) -> bool;

    /// Takes whole lines, each with its end. `Ok`: it has them for good, as far as it can tell. After an error none
    /// or all of them, or any number of whole ones, may be there.
    async fn write(&self, lines: Vec<u8>) -> io::Result<()>;
}
