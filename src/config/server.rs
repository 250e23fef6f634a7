//! What concerns the process: listening, logs, store, outbound calls.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    thread,
    time::Duration,
};

use tracing_subscriber::EnvFilter;

use super::{
    duration::{duration, duration_within},
    mistakes::{Fault, Read, fault},
    parse,
    reader::{Origin, Reader},
    settings,
};

/// Bytes that a request's body may have.
pub const BODY_LIMIT: usize = 256 * 1024;

/// How requests come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where to listen.
    pub bind: SocketAddr,
    /// Certificate and key; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Origins of browser clients.
    pub cors_origins: Vec<String>,
    /// Worker threads.
    pub workers: usize,
    /// How long requests in flight may take after the signal to stop.
    pub shutdown_grace: Duration,
    /// How long requests are still taken after the signal to stop, while the process is not ready any more.
    pub drain_delay: Duration,
    /// API requests per user and minute.
    pub rate_limit: NonZeroU32,
}

/// Files in PEM form; both were readable when the configuration was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Pretty,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The form of the lines.
    pub format: LogFormat,
    /// Directives of `tracing_subscriber::EnvFilter`, checked.
    pub filter: String,
}

/// Where records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// In this directory.
    Embedded(PathBuf),
    /// In memory, until the process ends.
    Memory,
}

/// What happens to the sealed audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// The key that signs; `None`: one beside the data.
    pub signing_key: Option<PathBuf>,
    /// The key that signed before.
    pub former_key: Option<PathBuf>,
    /// Where sealed entries go besides the store.
    pub sink: SinkKind,
    /// How long the store keeps entries that a durable sink has.
    pub keep: Duration,
}

/// Where sealed entries go besides the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkKind {
    /// Nowhere.
    Off,
    /// Standard output, among the log's lines.
    Stdout,
    /// A file of JSON lines.
    File(PathBuf),
}

pub(super) fn server(r: &mut Reader<'_>) -> Read<Server> {
    let bind = bind(r);
    let tls = tls(r);
    let cors_origins = r.list(&settings::CORS, parse::origin);
    let workers = r.optional(&settings::WORKERS, parse::number(1..=512));
    let grace = r.value(&settings::GRACE, duration_within(Duration::ZERO..=Duration::from_mins(10)));
    let drain = r.value(&settings::DRAIN, duration_within(Duration::ZERO..=Duration::from_mins(2)));
    let rate_limit = r.value(&settings::RATE_LIMIT, parse::number(NonZeroU32::MIN..=NonZeroU32::MAX));
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    Ok(Server {
        bind: bind?,
        tls: tls?,
        cors_origins: cors_origins?,
        workers: workers?.unwrap_or_else(cores),
        shutdown_grace: grace?,
        drain_delay: drain?,
        rate_limit: rate_limit?,
    })
}

/// `PORT` alone comes from platforms that put us behind a proxy of theirs: then every address is listened on.
fn bind(r: &mut Reader<'_>) -> Read<SocketAddr> {
    let bind = r.value(&settings::BIND, parse::address);
    let port = r.optional(&settings::PORT, parse::number(0..=u16::MAX));
    let (bind, port) = (bind?, port?);
    match (r.origin(&settings::BIND), port) {
        (Origin::Environment, Some(port)) if port != bind.port() => {
            let what = format!("says {port}, but {} says {}", settings::BIND.env, bind.port());
            Err(r.wrong(&settings::PORT, fault(what, "keep one of them")))
        }
        (Origin::File, Some(port)) => Ok(SocketAddr::new(bind.ip(), port)),
        (Origin::Default, Some(port)) => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        (Origin::Default, None) if r.is_given(&settings::TENANT) => Ok((Ipv4Addr::UNSPECIFIED, bind.port()).into()),
        _ => Ok(bind),
    }
}

fn tls(r: &mut Reader<'_>) -> Read<Option<TlsFiles>> {
    let cert = r.existing_file(&settings::TLS_CERT);
    let key = r.existing_file(&settings::TLS_KEY);
    match (cert?, key?) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(r.wrong(&settings::TLS_KEY, fault("is missing", "give the key of the certificate"))),
        (None, Some(_)) => Err(r.wrong(&settings::TLS_CERT, fault("is missing", "give the certificate of the key"))),
    }
}

/// Levels as Okta Managed Access names them, and ours.
const LEVELS: &[(&str, &str)] = &[
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("http", "info"),
    ("verbose", "debug"),
    ("debug", "debug"),
    ("silly", "trace"),
];

pub(super) fn log(r: &mut Reader<'_>) -> Read<LogSettings> {
    let format =
        r.value(&settings::LOG_FORMAT, parse::choice(&[("json", LogFormat::Json), ("pretty", LogFormat::Pretty)]));
    let level = r.value(&settings::LOG_LEVEL, parse::choice(LEVELS));
    let filter = r.optional(&settings::LOG_FILTER, filter);
    let (level, filter) = (level?, filter?);
    // Other crates' debug lines can hold what travels through them, tokens included.
    let rest = if matches!(level, "debug" | "trace") { "info" } else { level };
    Ok(LogSettings { format: format?, filter: filter.unwrap_or_else(|| format!("{rest},behalf={level}")) })
}

fn filter(text: &str) -> Result<String, Fault> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(e) => Err(fault(format!("is no filter ({e})"), "write directives like `warn,behalf=debug`")),
    }
}

pub(super) fn store(r: &mut Reader<'_>) -> Read<StoreKind> {
    let dir = r.sources.dir.clone();
    r.value(&settings::STORE, |text| match text.split_once(':') {
        None if text == "memory" => Ok(StoreKind::Memory),
        Some(("embedded", path)) if !path.is_empty() => Ok(StoreKind::Embedded(dir.join(path))),
        Some(("redis" | "rediss" | "redis+sentinel" | "redis+cluster", _)) => {
            let remedy = "use `embedded:<directory>`, on one machine, until then";
            Err(fault("Redis as the store comes with a later version", remedy))
        }
        // A URL may hold a password.
        _ => Err(fault("names no store", "give `embedded:<directory>` or `memory`")),
    })
}

pub(super) fn audit(r: &mut Reader<'_>) -> Read<AuditSettings> {
    let dir = r.sources.dir.clone();
    let signing_key = r.existing_file(&settings::SIGNING_KEY);
    let former_key = r.existing_file(&settings::FORMER_KEY);
    let sink = r.value(&settings::AUDIT_SINK, |text| match text.split_once(':') {
        None if text == "off" => Ok(SinkKind::Off),
        None if text == "stdout" => Ok(SinkKind::Stdout),
        Some(("file", path)) if !path.is_empty() => Ok(SinkKind::File(dir.join(path))),
        _ => Err(fault("names no sink", "give `off`, `stdout` or `file:<path>`")),
    });
    let keep = r.value(&settings::AUDIT_KEEP, keep);
    Ok(AuditSettings { signing_key: signing_key?, former_key: former_key?, sink: sink?, keep: keep? })
}

/// The shortest time for which entries are kept.
const LEAST_KEPT: Duration = Duration::from_hours(1);

fn keep(text: &str) -> Result<Duration, Fault> {
    let keep = duration(text)?;
    if keep < LEAST_KEPT {
        let remedy = "give at least `1h`: entries that go sooner than somebody fetches the checkpoint they go with \
                      can't be tied to what is left";
        return Err(fault(format!("`{text}` is too short"), remedy));
    }
    Ok(keep)
}

pub(super) fn ca_file(r: &mut Reader<'_>) -> Read<Option<PathBuf>> {
    r.existing_file(&settings::CA_FILE)
}

pub(super) fn metrics(r: &mut Reader<'_>) -> Read<bool> {
    r.value(&settings::METRICS, parse::switch)
}
