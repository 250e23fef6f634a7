//! Standard output, for whoever collects it.

use std::io::{self, Write as _};

use async_trait::async_trait;

use crate::ports::audit_sink::AuditSink;

/// Writes to the process's standard output. What happens to it behind the pipe is not known here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stdout;

#[async_trait]
impl AuditSink for Stdout {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn durable(&self) -> bool {
        false
    }

    async fn write(&self, lines: Vec<u8>) -> io::Result<()> {
        let write = move || {
            let mut out = io::stdout().lock();
            out.write_all(&lines)?;
            out.flush()
        };
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
    }
}
