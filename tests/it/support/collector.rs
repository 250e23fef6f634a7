//! A collector of traces: takes OTLP over HTTP with protobuf, as strictly as the protocol says, and keeps all spans.

use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message as _;

/// A span, and what the resource is called that sent it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) service: String,
    pub(crate) header: Option<String>,
    pub(crate) span: Span,
}

impl Seen {
    pub(crate) fn name(&self) -> &str {
        &self.span.name
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        text(&self.span.attributes, name)
    }
}

type Spans = Arc<Mutex<Vec<Seen>>>;

pub(crate) struct Collector {
    pub(crate) url: String,
    spans: Spans,
    server: ServerHandle,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let spans = Spans::default();
        let data = web::Data::new(Arc::clone(&spans));
        let server = HttpServer::new(move || {
            App::new().app_data(data.clone()).app_data(web::PayloadConfig::new(1 << 22)).default_service(web::to(take))
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, spans, server: handle }
    }

    pub(crate) fn spans(&self) -> Vec<Seen> {
        self.spans.lock().unwrap().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn take(request: HttpRequest, spans: web::Data<Spans>, body: web::Bytes) -> HttpResponse {
    let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    if (request.method().as_str(), request.path(), kind) != ("POST", "/v1/traces", Some("application/x-protobuf")) {
        return HttpResponse::BadRequest().finish();
    }
    let Ok(told) = ExportTraceServiceRequest::decode(body) else { return HttpResponse::BadRequest().finish() };
    let header = request.headers().get("x-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    for part in told.resource_spans {
        let attributes = part.resource.map(|resource| resource.attributes).unwrap_or_default();
        let service = text(&attributes, "service.name").unwrap_or_default();
        let all = part.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let seen = all.map(|span| Seen { service: service.clone(), header: header.clone(), span });
        spans.lock().unwrap().extend(seen);
    }
    let answer = ExportTraceServiceResponse { partial_success: None }.encode_to_vec();
    HttpResponse::Ok().content_type("application/x-protobuf").body(answer)
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}
