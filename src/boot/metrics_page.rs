//! `/metrics` at an address of its own, which a network policy can open to the collector and to nobody else.

use std::net::SocketAddr;

use actix_web::{App, HttpServer, dev::Server, web};
use tokio_util::sync::CancellationToken;

use super::BootError;
use crate::web::{ops::metrics_alone, state::AppState};

/// A listener that has only the metrics.
pub(super) struct MetricsPage(Server);

/// Binds. The page is served once [`MetricsPage::serve`] runs.
pub(super) fn listen(state: web::Data<AppState>, bind: SocketAddr) -> Result<MetricsPage, BootError> {
    let server =
        HttpServer::new(move || App::new().app_data(state.clone()).service(metrics_alone)).workers(1).disable_signals();
    let server = server.bind(bind).map_err(|error| BootError::BindMetrics(bind, error))?;
    for address in server.addrs() {
        tracing::info!(%address, "metrics");
    }
    Ok(MetricsPage(server.run()))
}

impl MetricsPage {
    /// Serves until the service stops, also while it drains.
    pub(super) async fn serve(self, stop: CancellationToken) {
        let handle = self.0.handle();
        let serving = tokio::spawn(self.0);
        stop.cancelled().await;
        handle.stop(false).await;
        if let Ok(Err(error)) = serving.await {
            tracing::error!(%error, "the metrics' listener ended with an error");
        }
    }
}
