//! From the start to the end of `serve`: readiness, signals, drain.

use std::{convert::Infallible, io, time::Duration};

use actix_web::dev::ServerHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    boot::{Behalf, BootError},
    config::Config,
};

/// Serves until SIGTERM or SIGINT, then drains: readiness fails first, hooks in flight are answered, and the store is
/// closed last.
pub async fn run(behalf: Behalf, config: &Config) -> Result<(), BootError> {
    // From the first moment on: a process that isn't waiting for it is ended by it.
    let hangup = signal(SignalKind::hangup());
    let (server, addresses) = behalf.listen(config)?;
    let handle = server.handle();
    let serving = tokio::spawn(server);
    behalf.set_ready(true);
    for address in &addresses {
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "ready");
    }
    let stopped = tokio::select! {
        stopped = stop_signal() => stopped,
        never = reread_on(hangup, &behalf) => match never {},
    };
    match stopped {
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

/// Has the rules read again at every SIGHUP, for ever.
async fn reread_on(hangup: io::Result<Signal>, behalf: &Behalf) -> Infallible {
    let Ok(mut hangup) = hangup.inspect_err(|error| tracing::error!(%error, "SIGHUP can't be waited for")) else {
        return std::future::pending().await;
    };
    while hangup.recv().await.is_some() {
        tracing::info!(signal = "SIGHUP", "reading the rules again");
        behalf.reread().await;
    }
    std::future::pending().await
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
