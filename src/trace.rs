//! Spans of the distributed trace, for whoever has one exported. They have a target of their own and lie below every log
//! level of ours, so that where nobody exports them none is made.
//!
//! One trace holds what belongs together, though days and other people's programs may lie between: a delegation and an
//! approval remember where they were begun, and what is done with them later goes on from there.

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::domain::trace::TraceParent;

/// The target of every span that is exported, and of nothing else.
pub const TARGET: &str = "otel";

/// Where we are; `None`: nobody exports it.
pub fn here() -> Option<TraceParent> {
    let context = Span::current().context();
    let span = context.span();
    let at = span.span_context();
    at.is_valid().then(|| TraceParent {
        trace: at.trace_id().to_bytes(),
        span: at.span_id().to_bytes(),
        sampled: at.is_sampled(),
    })
}

/// A call to something else within a span that is exported; outside of one none is made. It needn't be entered.
pub fn call(kind: &'static str, operation: &'static str) -> Span {
    if !tracing::enabled!(target: TARGET, tracing::Level::TRACE) {
        return Span::none();
    }
    let inside = Span::current().metadata().is_some_and(|around| around.target() == TARGET);
    if !inside {
        return Span::none();
    }
    tracing::trace_span!(target: TARGET, "call", otel.name = format!("{kind} {operation}"), otel.kind = "client", result = Empty)
}

/// Names a span that may have begun already: then a field wouldn't change its name any more.
pub fn rename(span: &Span, name: String) {
    if !span.is_disabled() {
        span.context().span().update_name(name);
    }
}

/// A new span, as a child of another, maybe of another process. To be called before anything else is done with it.
pub fn continued(span: Span, from: Option<&TraceParent>) -> Span {
    if let Some(from) = from.filter(|_| !span.is_disabled()) {
        // A span that has begun keeps its parent; a new one hasn't.
        drop(span.set_parent(Context::new().with_remote_span_context(remote(from))));
    }
    span
}

fn remote(parent: &TraceParent) -> SpanContext {
    let flags = if parent.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, span) = (TraceId::from_bytes(parent.trace), SpanId::from_bytes(parent.span));
    SpanContext::new(trace, span, flags, true, TraceState::default())
}
