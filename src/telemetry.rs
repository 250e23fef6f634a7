//! Logs: JSON lines for machines or pretty ones for people.
//!
//! A server's log is its only output, so it goes to stdout, where containers collect it. Commands that print a result
//! there log to stderr.

mod otlp;

use std::io;

pub use self::otlp::Traces;
use tracing::{Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{ParseError, Targets},
    fmt::MakeWriter,
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::{SubscriberInitExt as _, TryInitError},
};

use crate::{
    config::{LogFormat, LogSettings},
    trace,
};

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// For a server.
    Stdout,
    /// For a command whose result is on stdout.
    Stderr,
}

/// Why logging wasn't set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives aren't of `EnvFilter`'s form.
    #[error("the log filter can't be read: {0}")]
    Filter(#[from] ParseError),
    /// It was set up before; that set-up stays.
    #[error("logging is set up already: {0}")]
    Twice(#[from] TryInitError),
}

/// Sets up the process's log. Once; a second call is an error and changes nothing.
pub fn init(settings: &LogSettings, output: Output) -> Result<(), TelemetryError> {
    match output {
        Output::Stdout => subscriber(settings, io::stdout)?.try_init()?,
        Output::Stderr => subscriber(settings, io::stderr)?.try_init()?,
    }
    Ok(())
}

/// What [`init`] installs, writing to `writer`.
pub fn subscriber<W>(settings: &LogSettings, writer: W) -> Result<impl Subscriber + Send + Sync, ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(&settings.filter)?;
    Ok(tracing_subscriber::registry().with(filter).with(lines(settings, writer)))
}

/// The same, and spans of their own target go to `traces`. What is logged doesn't change, and no log line is exported.
pub fn init_with(settings: &LogSettings, traces: &Traces) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(&settings.filter)?;
    let spans = tracing_opentelemetry::layer()
        .with_tracer(traces.tracer())
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false);
    let spans = spans.with_filter(Targets::new().with_target(trace::TARGET, Level::TRACE));
    let lines = lines(settings, io::stdout).with_filter(filter);
    tracing_subscriber::registry().with(spans).with(lines).try_init()?;
    Ok(())
}

fn lines<S, W>(settings: &LogSettings, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    match settings.format {
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_current_span(true).with_span_list(false)),
        LogFormat::Pretty => Box::new(lines),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn logged(format: LogFormat, filter: &str) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let settings = LogSettings { format, filter: filter.to_owned() };
        let subscriber = subscriber(&settings, Writer(lines.clone())).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!(target: "behalf", "request", id = "r-1");
            let _inside = span.enter();
            tracing::info!(target: "behalf", outcome = "granted", "hook answered");
            tracing::debug!(target: "behalf", "a detail");
            tracing::debug!(target: "other", "a stranger's detail");
        });
        String::from_utf8(lines.lock().unwrap().clone()).unwrap()
    }

    struct Writer(Arc<Mutex<Vec<u8>>>);

    impl<'w> MakeWriter<'w> for Writer {
        type Writer = Lines;

        fn make_writer(&'w self) -> Lines {
            Lines(self.0.clone())
        }
    }

    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn json_is_one_object_per_line_with_its_span() {
        let text = logged(LogFormat::Json, "info,behalf=info");
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["message"], "hook answered");
        assert_eq!(lines[0]["outcome"], "granted");
        assert_eq!(lines[0]["span"]["id"], "r-1");
    }

    #[test]
    fn the_filter_decides_by_target() {
        let text = logged(LogFormat::Pretty, "info,behalf=debug");
        assert!(text.contains("hook answered") && text.contains("a detail"), "{text}");
        assert!(!text.contains("stranger"), "{text}");
        assert_eq!(logged(LogFormat::Pretty, "error"), "");
    }

    #[test]
    fn a_second_set_up_is_an_error() {
        let settings = LogSettings { format: LogFormat::Json, filter: "error".to_owned() };
        assert!(init(&settings, Output::Stderr).is_ok());
        assert!(matches!(init(&settings, Output::Stderr), Err(TelemetryError::Twice(_))));
    }

    #[test]
    fn a_bad_filter_is_an_error() {
        let settings = LogSettings { format: LogFormat::Json, filter: "behalf=loud".to_owned() };
        assert!(matches!(init(&settings, Output::Stderr), Err(TelemetryError::Filter(_))));
    }
}
