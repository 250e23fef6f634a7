//! Configuration to running service. Only here, in the commands and in the demo are concrete adapters named.

mod audit;
mod background;
mod directory;
mod metrics_page;
mod notify;
mod preview;
mod readings;
mod rules;
mod shared_accounts;
mod simulate;
mod store;
mod tenant;
mod trail;

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

pub use self::{
    directory::okta::credentials as okta_credentials,
    preview::Preview,
    store::{Kept, redis as redis_store, servers as redis_servers},
};
use actix_web::{HttpServer, dev::Server, web};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    adapters::{
        http_client::{self, HttpClientError},
        store::{
            embedded::{OpenError, admin},
            redis::TrustError,
            timed::Timed,
        },
        watched::{DEFAULT_PERIOD, Reloaded, Watched},
    },
    app::{
        Services, epoch,
        error::AppError,
        notify::{Outlets, make},
        retention::Retention,
        sealer::Sealer,
    },
    config::{Config, MetricsAt},
    domain::ids::TenantName,
    metrics::Metrics,
    ports::{
        audit_sink::AuditSink,
        clock::Clock,
        entropy::{self, Entropy},
        store::{Store, StoreError},
    },
    web::{
        app::app,
        middleware::RequestIds,
        openapi,
        rate_limit::RateLimit,
        state::{AppState, Door, Readiness},
        unknown_route::RouteTable,
    },
};

/// Why the service doesn't start. Each says which setting or file.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The data can't be opened.
    #[error("BEHALF_STORE: {0}")]
    Store(#[from] OpenError),
    /// Redis can't be spoken to with TLS.
    #[error("{0}")]
    Trust(#[from] TrustError),
    /// The store doesn't answer, or not as it should.
    #[error("BEHALF_STORE: {0}")]
    StoreAway(StoreError),
    /// The outbound client can't be made.
    #[error("BEHALF_CA_FILE: {0}")]
    HttpClient(#[from] HttpClientError),
    /// A tenant's settings fit no adapter.
    #[error("tenant `{0}`: {1}")]
    Tenant(TenantName, String),
    /// Epoch, head of the trail, cursors: what a start looks at.
    #[error("BEHALF_STORE: what the service keeps of itself can't be read or written: {0}")]
    Epoch(#[from] AppError),
    /// The address can't be listened on.
    #[error("BEHALF_BIND: can't listen on {0}: {1}")]
    Bind(std::net::SocketAddr, io::Error),
    /// The metrics' own address can't be listened on.
    #[error("BEHALF_METRICS_BIND: can't listen on {0}: {1}")]
    BindMetrics(std::net::SocketAddr, io::Error),
    /// There is no key to sign the audit trail with.
    #[error("{0}: {1}")]
    SigningKey(&'static str, String),
    /// Certificate or key can't be used.
    #[error("{0}")]
    Tls(String),
}

/// The assembled service: everything that runs, and the handles to stop it.
pub struct Behalf {
    /// What the handlers work with.
    pub state: web::Data<AppState>,
    /// The store itself, for its end and for what only its kind can do.
    pub store: Kept,
    /// Seals the audit trail.
    pub sealer: Arc<Sealer>,
    sink: Option<Arc<dyn AuditSink>>,
    retention: Retention,
    files: Vec<directory::Watched>,
    rules: Arc<Watched<rules::Rules>>,
    outlets: BTreeMap<TenantName, Arc<Outlets>>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Behalf {
    /// Opens the store (which may repair it first), connects the parts, and makes sure of the epochs. Nothing listens
    /// yet.
    pub async fn assemble(
        config: &Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, BootError> {
        let metrics = Arc::new(Metrics::default());
        metrics.started(clock.now());
        let http = http_client::build(config.ca_file.as_deref())?;
        let store = store::open(&config.store, config.ca_file.as_deref(), Arc::clone(&clock), &entropy)?;
        let timed: Arc<dyn Store> = Arc::new(Timed::new(store.port(), Arc::clone(&metrics)));
        let parts = tenant::Parts::new(http, config, &metrics, &clock, &entropy, &timed);
        let (mut doors, mut tenants, mut files) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut outlets = BTreeMap::new();
        for (name, settings) in &config.tenants {
            if let Some(notify) = &settings.notify {
                let made = notify::outlets(notify, config.ca_file.as_deref());
                let made = made.map_err(|what| BootError::Tenant(name.clone(), what))?;
                outlets.insert(name.clone(), Arc::new(made));
            }
            let (door, file) = tenant::build(name, settings, &parts)?;
            tenants.insert(name.clone(), Arc::clone(&door.tenant));
            files.extend(file);
            doors.insert(name.clone(), Arc::new(door));
        }
        let (sealer, signer) = audit::sealer(&config.audit, store.folder().map(PathBuf::as_path), &*entropy)?;
        let sealer = Arc::new(sealer);
        let rules = rules::watched(config, &tenants, &clock, &metrics);
        let services = Services::new(timed, clock, entropy, signer, tenants);
        let tracker = services.tracker.clone();
        for name in services.tenants.keys() {
            services.store.incarnation(name).await.map_err(BootError::StoreAway)?;
            epoch::ensure(&services, name, 0).await?;
            sealer.announce(&services, name).await?;
        }
        for name in outlets.keys() {
            make::begin(&services, name).await?;
        }
        let state = web::Data::new(state(config, Arc::new(services), doors, metrics, &rules));
        let (sink, stop) = (audit::sink(&config.audit), CancellationToken::new());
        let retention = audit::retention(config, sink.as_deref());
        Ok(Self { state, store, sealer, sink, retention, files, rules, outlets, stop, tracker })
    }

    /// Binds, and starts the background work. The server runs once it is awaited; it leaves signals to the caller.
    pub fn listen(&self, config: &Config) -> Result<(Server, Vec<std::net::SocketAddr>), BootError> {
        let (state, origins) = (self.state.clone(), config.server.cors_origins.clone());
        let server = HttpServer::new(move || app(state.clone(), origins.clone()))
            .workers(config.server.workers)
            // Clients open connections ahead; one that is told 408 while a hook is on its way would read that as its answer.
            .client_request_timeout(FIRST_REQUEST)
            .keep_alive(KEEP_IDLE)
            .shutdown_timeout(config.server.shutdown_grace.as_secs())
            .disable_signals();
        let bind = config.server.bind;
        let bound = match &config.server.tls {
            Some(files) => server.bind_rustls_0_23(bind, tenant::tls(files).map_err(BootError::Tls)?),
            None => server.bind(bind),
        };
        let server = bound.map_err(|error| BootError::Bind(bind, error))?;
        let addresses = server.addrs();
        if let MetricsAt::Own(bind) = config.metrics {
            let page = metrics_page::listen(self.state.clone(), bind)?;
            self.tracker.spawn(page.serve(self.stop.clone()));
        }
        self.start_background();
        Ok((server.run(), addresses))
    }

    fn start_background(&self) {
        let state = &self.state;
        self.spawn(background::reap(Arc::clone(&state.services), Arc::clone(&state.metrics)));
        self.spawn(background::tidy(state.clone()));
        let sink = self.sink.as_ref().map(|sink| sink.name().to_owned());
        self.spawn(readings::read_all(state.clone(), sink));
        self.spawn(readings::watch_approvals(state.clone(), self.sealer.holder().to_owned()));
        self.spawn(background::keep_epochs(
            Arc::clone(&state.services),
            Arc::clone(&self.sealer),
            Arc::clone(&state.metrics),
        ));
        self.spawn(background::seal(Arc::clone(&state.services), Arc::clone(&self.sealer)));
        if let Some(sink) = &self.sink {
            let (services, sealer) = (Arc::clone(&state.services), Arc::clone(&self.sealer));
            self.spawn(background::deliver(Arc::clone(&services), Arc::clone(sink), Arc::clone(&sealer)));
            self.spawn(background::trim(services, self.retention.clone(), sealer));
        }
        self.start_notifying();
        for file in &self.files {
            self.spawn(file.directory.watch(file.period));
        }
        self.spawn(self.rules.watch(DEFAULT_PERIOD));
        if let (Some(data), Some(store)) = (self.store.folder(), self.store.embedded()) {
            let (path, store, stop) = (data.join(admin::SOCKET), Arc::clone(store), self.stop.clone());
            self.tracker.spawn(async move {
                if let Err(error) = admin::serve(&path, store, stop).await {
                    tracing::error!(path = %path.display(), %error, "the admin socket is not served");
                }
            });
        }
    }

    fn start_notifying(&self) {
        let (services, metrics) = (&self.state.services, &self.state.metrics);
        let backlog = Arc::new(notify::Backlog::of(&self.outlets));
        let mut rooms: BTreeMap<&'static str, usize> = BTreeMap::new();
        for (name, outlets) in &self.outlets {
            let holder = self.sealer.holder().to_owned();
            self.spawn(notify::make_all(Arc::clone(services), name.clone(), Arc::clone(outlets), holder));
            let Some(tenant) = services.tenant(name) else { continue };
            for (at, outlet) in outlets.all.iter().enumerate() {
                let room = rooms.entry(outlet.channel.sort()).or_default();
                let sending = notify::Sending {
                    services: Arc::clone(services),
                    metrics: Arc::clone(metrics),
                    tenant: Arc::clone(tenant),
                    outlets: Arc::clone(outlets),
                    outlet: at,
                    backlog: Arc::clone(&backlog),
                    room: *room,
                    holder: self.sealer.holder().to_owned(),
                };
                *room += 1;
                self.spawn(sending.run());
            }
        }
    }

    /// Runs until the end of the service; whatever it does must survive being dropped.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Has the configuration's file read again now, instead of at the next look. What comes of it is logged.
    pub fn reread(&self) -> impl Future<Output = ()> + Send + use<> {
        let rules = Arc::clone(&self.rules);
        async move {
            if rules.reload_now().await == Ok(Reloaded::Same) {
                tracing::info!("the configuration's file holds nothing new, or there is none");
            }
        }
    }

    /// Says that hooks should come here, or not any more.
    pub fn set_ready(&self, ready: bool) {
        self.state.readiness.set(ready);
        if !ready {
            // Whoever waits for a change would be waited for.
            self.state.services.watchers.close();
        }
    }

    /// Ends the background work, waits for commits whose outcome is open, seals and delivers the last events, and
    /// closes the store.
    pub async fn shut_down(self, grace: std::time::Duration) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_err() {
            tracing::warn!("some work was still going on when the time to stop ran out");
        }
        let (services, sink) = (&self.state.services, self.sink.as_deref());
        let last = background::last_pass(services, &self.sealer, sink);
        if tokio::time::timeout(LAST_PASS, last).await.is_err() {
            tracing::warn!(
                "the last events could not be sealed and delivered in time; the next start goes on with them"
            );
        }
        let store = self.store;
        let closing = tokio::task::spawn_blocking(move || store.close());
        match tokio::time::timeout(grace.max(LAST_PASS), closing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the store did not close cleanly"),
            Err(_) => tracing::error!("the store did not close in time: its disk doesn't answer"),
        }
    }
}

/// How long a new connection may be without a request.
const FIRST_REQUEST: std::time::Duration = std::time::Duration::from_mins(1);
/// How long an idle connection is kept. Longer than balancers and clients keep theirs (60 s is common): whoever sends a
/// hook on a connection that is being closed gets no answer, and a hook without an answer is a plain token.
const KEEP_IDLE: std::time::Duration = std::time::Duration::from_secs(75);
/// How long sealing and delivering the last events may hold up a stop.
const LAST_PASS: std::time::Duration = std::time::Duration::from_secs(3);

fn state(
    config: &Config,
    services: Arc<Services>,
    doors: BTreeMap<TenantName, Arc<Door>>,
    metrics: Arc<Metrics>,
    rules: &Arc<Watched<rules::Rules>>,
) -> AppState {
    let document = openapi::document();
    let request_ids = RequestIds::new(u64::from_be_bytes(entropy::bytes(&*services.entropy)));
    AppState {
        services,
        request_ids,
        doors,
        metrics,
        show_metrics: config.metrics == MetricsAt::Main,
        show_docs: config.server.docs,
        rate_limit: RateLimit::per_minute(config.server.rate_limit),
        openapi: openapi::json(),
        routes: RouteTable::of(&document),
        readiness: Arc::new(Readiness::default()),
        rules_in_doubt: config.file().map(|_| {
            let rules = Arc::clone(rules);
            Arc::new(move || rules.last_error().is_some()) as Arc<dyn Fn() -> bool + Send + Sync>
        }),
    }
}
