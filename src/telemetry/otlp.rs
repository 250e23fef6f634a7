//! Exports spans by OTLP (HTTP, protobuf). A collector that is away costs nothing but the spans: they wait in a queue of
//! fixed length, and what doesn't fit is dropped.

use std::{
    collections::HashMap,
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use actix_web::web::Bytes;
use async_trait::async_trait;
use http::{Request, Response};
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanLimits},
};
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;

use crate::{
    adapters::http_client::{self, read_bounded},
    config::TraceSettings,
};

/// Spans that wait to be sent; one takes about a KiB.
const WAITING: usize = 2048;
/// Spans sent together.
const TOGETHER: usize = 512;
/// Between two sendings.
const SEND_EVERY: Duration = Duration::from_secs(2);
/// How long one sending may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the last sending may hold up the end of the process.
const LAST: Duration = Duration::from_secs(3);
/// The longest answer of a collector that is read.
const MOST: usize = 64 * 1024;

/// What sends spans.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Sends to the settings' endpoint, through the outbound client. Asks nobody yet.
    pub fn new(settings: &TraceSettings, http: reqwest::Client) -> Result<Self, String> {
        let headers: HashMap<_, _> =
            settings.headers.iter().map(|(name, value)| (name.to_string(), value.expose_secret().to_owned())).collect();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint.as_str())
            .with_timeout(PATIENCE)
            .with_headers(headers)
            .with_http_client(Sender::new(http))
            .build()
            .map_err(|error| error.to_string())?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING)
            .with_max_export_batch_size(TOGETHER)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let few = SpanLimits { max_attributes_per_span: 32, max_events_per_span: 0, ..SpanLimits::default() };
        let resource = Resource::builder_empty()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            // By the trace's id alone, so that all parts of a trace have the same luck, wherever they are made.
            .with_sampler(Sampler::TraceIdRatioBased(settings.ratio))
            .with_span_limits(few)
            .with_resource(resource)
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .build();
        Ok(Self { provider })
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("behalf")
    }

    /// Sends what waits, and ends.
    pub async fn shut_down(self) {
        // It waits for a thread of its own, whose calls run here.
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST));
        match ended.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the last spans could not be sent"),
            Err(error) => tracing::debug!(%error, "the exporter of traces did not end"),
        }
    }
}

/// Calls made from the exporter's thread, which has no runtime.
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
    failing: AtomicBool,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    fn new(http: reqwest::Client) -> Self {
        Self { http, runtime: Handle::current(), failing: AtomicBool::new(false) }
    }

    /// Said when it changes, not each time.
    fn note(&self, failed: Option<&str>) {
        let was = self.failing.swap(failed.is_some(), Ordering::Relaxed);
        match failed {
            Some(why) if !was => {
                tracing::warn!(error = why, "traces can't be exported; spans are dropped until they can");
            }
            None if was => tracing::info!("traces are exported again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.runtime.spawn(send(self.http.clone(), request)).await;
        let sent = sent.unwrap_or_else(|error| Err(error.to_string()));
        match sent {
            Ok(answer) => {
                let refused =
                    (!answer.status().is_success()).then(|| format!("the collector answers {}", answer.status()));
                self.note(refused.as_deref());
                Ok(answer)
            }
            Err(why) => {
                self.note(Some(&why));
                Err(why.into())
            }
        }
    }
}

async fn send(http: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    let (head, body) = request.into_parts();
    let request = http.request(head.method, head.uri.to_string()).headers(head.headers).body(body).timeout(PATIENCE);
    let response = request.send().await.map_err(|error| http_client::explain(&error))?;
    let status = response.status();
    let body = read_bounded(response, MOST).await.map_err(|error| error.to_string())?;
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    Ok(answer)
}
