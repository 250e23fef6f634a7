//! From the start to the end of `serve`: readiness, signals, drain.

use std::{io, time::Duration};

use actix_web::dev::ServerHandle;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    boot::{Behalf, BootError},
    config::Config,
};

/// Serves until SIGTERM or SIGINT, then drains: readiness fails first, hooks in flight are answered, and the store is
/// closed last.
pub async fn run(behalf: Behalf, config: &Config) -> Result<(), BootError> {
    let (server, addresses) = behalf.listen(config)?;
    let handle = server.handle();
    let serving = tokio::spawn(server);
    behalf.set_ready(true);
    for address in &addresses {
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "ready");
    }
    match stop_signal().await {
        Ok(name) => tracing::info!(signal = name, "draining"),
        Err(error) => tracing::error!(%error, "signals can't be waited for; stopping"),
    }
    behalf.set_ready(false);
    drain(&handle, config.server.drain_delay).await;
    if let Ok(Err(error)) = serving.await {
        tracing::error!(%error, "the server ended with an error");
    }
    behalf.shut_down(config.server.shutdown_grace).await;
    tracing::info!("stopped");
    Ok(())
}

/// Goes on answering for a moment, until balancers have seen that this process isn't ready; then answers what is in
/// flight and takes nothing new.
async fn drain(handle: &ServerHandle, delay: Duration) {
    tokio::time::sleep(delay).await;
    handle.stop(true).await;
}

/// Waits for SIGTERM or SIGINT and gives its name.
pub async fn stop_signal() -> io::Result<&'static str> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    })
}
