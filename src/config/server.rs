//! What concerns the process: listening, logs, store, outbound calls.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use tracing_subscriber::EnvFilter;

use super::{
    audit::Writers,
    duration::duration_within,
    key_file,
    mistakes::{Fault, Read, fault},
    parse,
    reader::{Origin, Reader, warn_if_open},
    redis::{self, RedisSettings},
    settings,
};

use crate::domain::otp::{OtpKey, OtpKeys};

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
    /// Whether the pages at `/docs/` are there.
    pub docs: bool,
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

/// Where `/metrics` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsAt {
    /// They are switched off.
    Nowhere,
    /// Beside everything else.
    Main,
    /// At an address that has nothing else.
    Own(SocketAddr),
}

/// Where records are kept.
#[derive(Debug, Clone)]
pub enum StoreKind {
    /// In this directory.
    Embedded(PathBuf),
    /// In memory, until the process ends.
    Memory,
    /// In Redis, for many processes.
    Redis(Box<RedisSettings>),
}

pub(super) fn server(r: &mut Reader<'_>) -> Read<Server> {
    let bind = bind(r);
    let tls = tls(r);
    let cors_origins = r.list(&settings::CORS, parse::origin);
    let workers = r.optional(&settings::WORKERS, parse::number(1..=512));
    let grace = r.value(&settings::GRACE, duration_within(Duration::ZERO..=Duration::from_mins(10)));
    let drain = r.value(&settings::DRAIN, duration_within(Duration::ZERO..=Duration::from_mins(2)));
    let rate_limit = r.value(&settings::RATE_LIMIT, parse::number(NonZeroU32::MIN..=NonZeroU32::MAX));
    let docs = r.optional(&settings::DOCS, parse::switch);
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    Ok(Server {
        bind: bind?,
        tls: tls?,
        cors_origins: cors_origins?,
        workers: workers?.unwrap_or_else(cores),
        shutdown_grace: grace?,
        drain_delay: drain?,
        rate_limit: rate_limit?,
        docs: docs?.unwrap_or(r.sources.development),
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
        (Origin::Default, None) if r.by_old_name(&settings::OKTA_URL) => {
            Ok((Ipv4Addr::UNSPECIFIED, bind.port()).into())
        }
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

/// What names the store; [`store`] says what it means.
pub(super) fn store_url(r: &mut Reader<'_>) -> Read<String> {
    r.value(&settings::STORE, |text| Ok(text.to_owned()))
}

pub(super) fn store(r: &mut Reader<'_>, url: &str) -> Read<StoreKind> {
    if redis::writers(url) == Writers::Many {
        return redis::redis(r, url).map(|settings| StoreKind::Redis(Box::new(settings)));
    }
    redis::warn_if_given(r);
    match url.split_once(':') {
        None if url == "memory" => Ok(StoreKind::Memory),
        Some(("embedded", path)) if !path.is_empty() => Ok(StoreKind::Embedded(r.sources.dir.join(path))),
        // A URL may hold a password.
        _ => {
            let remedy = "give `embedded:<directory>`, `memory`, `redis://…`, `rediss://…`, `redis-sentinel://…` or \
                          `redis-cluster://…`";
            Err(r.wrong(&settings::STORE, fault("names no store", remedy)))
        }
    }
}

pub(super) fn ca_file(r: &mut Reader<'_>) -> Read<Option<PathBuf>> {
    r.existing_file(&settings::CA_FILE)
}

pub(super) fn metrics(r: &mut Reader<'_>) -> Read<MetricsAt> {
    let shown = r.value(&settings::METRICS, parse::switch);
    let bind = r.optional(&settings::METRICS_BIND, parse::address);
    match (shown?, bind?) {
        (true, None) => Ok(MetricsAt::Main),
        (true, Some(bind)) => Ok(MetricsAt::Own(bind)),
        (false, None) => Ok(MetricsAt::Nowhere),
        (false, Some(_)) => {
            let what = format!("is given while {} is off", settings::METRICS.env);
            Err(r.wrong(&settings::METRICS_BIND, fault(what, "keep one of them")))
        }
    }
}

/// What tokens of applications without OIDC have in `aud`.
pub(super) fn applications_audience(r: &mut Reader<'_>) -> Read<Option<String>> {
    r.optional(&settings::APPLICATIONS_AUDIENCE, parse::text)
}

/// The keys that seal the secrets of one-time codes.
pub(super) fn otp_keys(r: &mut Reader<'_>) -> Read<Option<Arc<OtpKeys>>> {
    let Some(path) = r.optional(&settings::OTP_KEY, parse::text)? else { return Ok(None) };
    let path = r.sources.dir.join(path);
    let keys = key_file::keys(&path, "32 bytes", |bytes| OtpKey::new(&bytes));
    let keys = keys.map_err(|fault| r.wrong(&settings::OTP_KEY, fault))?;
    warn_if_open(&r.place(&settings::OTP_KEY), &path, r.found);
    Ok(OtpKeys::new(keys).map(Arc::new))
}
