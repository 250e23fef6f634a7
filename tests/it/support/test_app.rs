//! The whole application over real HTTP, with a store in memory, a clock that stands, and a directory and tokens that
//! do what a test tells them.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{HttpServer, dev::ServerHandle, web};
use async_trait::async_trait;
use behalf::{
    adapters::{
        audit::signing::SigningKey,
        dialect::okta::{self, HeaderSecrets, Okta},
        directory::shown::{Cached, Kept, Live},
        store::embedded::{EmbeddedStore, Place, Settings},
        system::OsEntropy,
    },
    app::{
        Budget, DelegationLimits, Services, Tenant,
        answer_hook::UnknownIds,
        application::Registry,
        approvals::watching::Watchers,
        caller::IdentityPolicy,
        epoch,
        keys::{KeyPolicy, service::SigningDesk},
        reaper,
    },
    domain::{
        application::Application,
        audit::Event,
        claims::{ClaimNames, ClaimsPolicy, MappedClaim},
        hook::RefusalForm,
        ids::{Issuer, Login, TenantName, UserId},
        otp::{OtpKey, OtpKeys},
        shared_account::SharedAccounts,
        user::{Status, User},
    },
    metrics::Metrics,
    policy::{Pipeline, TenantPolicy},
    ports::{
        clock::{Clock, ManualClock},
        dialect::Dialect,
        shown::ShownGrants,
        store::{Seq, Store},
        token_verifier::{TokenVerifier, VerifiedToken, VerifyError},
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
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::fake_directory::FakeDirectory;
use crate::contract::directories::composed;

pub(crate) const ISSUER: &str = "https://issuer.test/oauth2/default";
pub(crate) const CLIENT: &str = "app";
/// What applications' tokens have in `aud`.
pub(crate) const APPLICATIONS_AUDIENCE: &str = "https://behalf.test";
pub(crate) const HOOK_SECRET: &str = "Secret of-the-hook-fixture";

/// Makes what people are shown of a tenant's directory.
pub(crate) type ShownOf = dyn Fn(&TenantName, &Arc<FakeDirectory>, &Arc<dyn Clock>) -> Arc<dyn ShownGrants>;

/// What a test may want otherwise.
pub(crate) struct Setup {
    pub(crate) policy: TenantPolicy,
    pub(crate) shared: SharedAccounts,
    /// Of every tenant.
    pub(crate) applications: Vec<Arc<Application>>,
    pub(crate) claims: ClaimsPolicy,
    pub(crate) refusal: RefusalForm,
    pub(crate) limits: DelegationLimits,
    pub(crate) budget: Budget,
    pub(crate) keys: KeyPolicy,
    pub(crate) scope: Option<String>,
    pub(crate) per_minute: u32,
    pub(crate) pipeline: Pipeline,
    pub(crate) tenants: Vec<&'static str>,
    /// Browser origins that may call the API.
    pub(crate) origins: Vec<String>,
    /// What people are shown of the directory, by tenant.
    pub(crate) shown: Box<ShownOf>,
    /// The directory is one that calls travel to: behind its breaker, and asked for whole entries.
    pub(crate) elsewhere: bool,
    /// Stands between the use cases and the store.
    pub(crate) wrap: Box<dyn FnOnce(Arc<EmbeddedStore>) -> Arc<dyn Store>>,
}

impl Default for Setup {
    fn default() -> Self {
        let map = |names: &[&str]| names.iter().map(|n| MappedClaim::parse(n).unwrap()).collect();
        Self {
            policy: TenantPolicy::default(),
            shared: SharedAccounts::default(),
            applications: Vec::new(),
            claims: ClaimsPolicy {
                access: map(&["department", "costCenter"]),
                identity: map(&["department"]),
                ..ClaimsPolicy::default()
            },
            refusal: RefusalForm::default(),
            limits: DelegationLimits::default(),
            budget: Budget::default(),
            keys: KeyPolicy::default(),
            scope: Some("behalf".to_owned()),
            per_minute: 1_000_000,
            pipeline: Pipeline::standard(),
            tenants: vec!["default", "acme"],
            origins: Vec::new(),
            shown: Box::new(|_, directory, _| Arc::new(Live::new(Arc::clone(directory) as _))),
            elsewhere: false,
            wrap: Box::new(|store| store),
        }
    }
}

impl Setup {
    /// Lists that people are shown are kept, as those of a directory that is far away.
    pub(crate) fn with_kept_lists() -> Self {
        let cached = |tenant: &TenantName, directory: &Arc<FakeDirectory>, clock: &Arc<dyn Clock>| {
            let kept = Arc::new(Kept::new(clock, &Metrics::default()));
            Arc::new(Cached::new(tenant.clone(), Arc::clone(directory) as _, kept)) as Arc<dyn ShownGrants>
        };
        Self { shown: Box::new(cached), ..Self::default() }
    }
}

/// Bearer tokens that a test made up.
#[derive(Default)]
pub(crate) struct FakeVerifier {
    tokens: Mutex<HashMap<String, Arc<VerifiedToken>>>,
    pub(crate) down: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl TokenVerifier for FakeVerifier {
    async fn verify(&self, token: &str) -> Result<Arc<VerifiedToken>, VerifyError> {
        // A real verifier may have to ask the issuer: nothing may depend on its answer being there at once.
        tokio::task::yield_now().await;
        if self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(VerifyError::Unavailable("the test says so".to_owned()));
        }
        let known = self.tokens.lock().unwrap().get(token).cloned();
        known.ok_or_else(|| VerifyError::Invalid("not one of the test's".to_owned()))
    }

    async fn probe(&self) -> Result<(), VerifyError> {
        if self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(VerifyError::Unavailable("the test says so".to_owned()));
        }
        Ok(())
    }
}

pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<EmbeddedStore>,
    pub(crate) services: Arc<Services>,
    pub(crate) directory: Arc<FakeDirectory>,
    pub(crate) verifier: Arc<FakeVerifier>,
    pub(crate) state: web::Data<AppState>,
    server: ServerHandle,
}

pub(crate) fn user(id: &str, login: &str, profile: &Value) -> User {
    User {
        id: UserId::parse(id).unwrap(),
        login: Login::parse(login).unwrap(),
        status: Status::Active,
        user_type: None,
        profile: profile.as_object().unwrap().clone().into_iter().collect(),
    }
}

pub(crate) fn uid(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

impl TestApp {
    /// Ann may act for Bob; Eve and Root (an administrator) are there, too. Tokens are `ann`, `bob`, `eve`, `root`.
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-21T10:00:00Z".parse().unwrap()));
        let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let store = EmbeddedStore::open(&Settings::new(Place::Memory), Arc::clone(&as_clock), &OsEntropy).unwrap();
        let store = Arc::new(store);
        let (directory, verifier) = (Arc::new(FakeDirectory::default()), Arc::new(FakeVerifier::default()));
        let asked =
            || if setup.elsewhere { composed(Arc::clone(&directory) as _) } else { Arc::clone(&directory) as _ };
        let secret = SecretString::from(HOOK_SECRET);
        let header = HeaderSecrets::new("authorization", &[secret]).unwrap();
        let dialect: Arc<dyn Dialect> = Arc::new(Okta::new(okta::Settings { header: Some(header), bearer: None }));
        let tenants: BTreeMap<TenantName, Arc<Tenant>> = setup
            .tenants
            .iter()
            .map(|name| {
                let name = TenantName::parse(name).unwrap();
                let tenant = Tenant {
                    name: name.clone(),
                    issuer: Issuer::parse(ISSUER).unwrap(),
                    directory: asked(),
                    directory_of_hooks: asked(),
                    shown: (setup.shown)(&name, &directory, &as_clock),
                    policy: setup.policy.clone().into(),
                    shared: setup.shared.clone(),
                    applications: Registry::new(APPLICATIONS_AUDIENCE, setup.applications.iter().cloned()),
                    otp_keys: OtpKeys::new(OtpKey::new(&[7; 32]).into_iter().collect()).map(Arc::new),
                    claims: setup.claims.clone(),
                    refusal: setup.refusal,
                    limits: setup.limits,
                    budget: setup.budget,
                    keys: setup.keys.clone(),
                    identity: IdentityPolicy {
                        user_claim: "uid".to_owned(),
                        administrator: Some(("groups".to_owned(), "behalf-admins".to_owned())),
                        break_glass: Some(("groups".to_owned(), "behalf-break-glass".to_owned())),
                        scope: setup.scope.clone(),
                        claims: ClaimNames::default(),
                    },
                };
                (name, Arc::new(tenant))
            })
            .collect();
        let services = Arc::new(Services {
            store: (setup.wrap)(Arc::clone(&store)),
            clock: as_clock,
            entropy: Arc::new(OsEntropy),
            signing: SigningDesk::new(Arc::new(SigningKey::ephemeral(&OsEntropy).unwrap())),
            pipeline: setup.pipeline,
            tenants: tenants.clone(),
            runtime: tokio::runtime::Handle::current(),
            tracker: TaskTracker::new(),
            unknown_ids: UnknownIds::default(),
            watchers: Watchers::default(),
        });
        for name in tenants.keys() {
            epoch::ensure(&services, name, 0).await.unwrap();
        }
        let metrics = Arc::new(Metrics::default());
        let door = |tenant: &Arc<Tenant>| {
            Arc::new(Door {
                tenant: Arc::clone(tenant),
                dialects: BTreeMap::from([("okta", Arc::clone(&dialect))]),
                verifier: Arc::clone(&verifier) as _,
                users_in_doubt: None,
                entity_type: Some("entity".to_owned()),
                series: metrics.tenant(&tenant.name),
            })
        };
        let state = web::Data::new(AppState {
            rules_in_doubt: None,
            services: Arc::clone(&services),
            request_ids: RequestIds::new(1),
            doors: tenants.iter().map(|(name, tenant)| (name.clone(), door(tenant))).collect(),
            metrics,
            show_metrics: true,
            show_docs: true,
            rate_limit: RateLimit::per_minute(NonZeroU32::new(setup.per_minute).unwrap()),
            openapi: openapi::json(),
            routes: RouteTable::of(&openapi::document()),
            readiness: Arc::new(Readiness::default()),
        });
        state.readiness.set(true);
        let for_server = state.clone();
        let server = HttpServer::new(move || app(for_server.clone(), setup.origins.clone()))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        let http = behalf::adapters::http_client::build(None).unwrap();
        let app = Self { url, http, clock, store, services, directory, verifier, state, server: handle };
        app.populate();
        app
    }

    fn populate(&self) {
        self.directory.put(user("00uann", "ann@example.test", &json!({"firstName": "Ann", "department": "Eng"})));
        let bob = json!({"firstName": "Bob", "lastName": "Builder", "email": "bob@example.test", "department": "Ops"});
        self.directory.put(user("00ubob", "bob@example.test", &bob));
        self.directory.put(user("00ueve", "eve@example.test", &json!({})));
        self.directory.put(user("00uroot", "root@example.test", &json!({})));
        self.directory.set_grant(&uid("00ubob"), &uid("00uann"), true);
        for name in ["ann", "bob", "eve"] {
            self.token(name, &json!({"uid": format!("00u{name}")}), &["openid", "behalf"]);
        }
        self.token("root", &json!({"uid": "00uroot", "groups": ["behalf-admins"]}), &["openid", "behalf"]);
    }

    /// Makes a bearer token good.
    pub(crate) fn token(&self, text: &str, claims: &Value, scopes: &[&str]) {
        let token = VerifiedToken {
            claims: claims.as_object().unwrap().clone(),
            scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
            client: Some(CLIENT.to_owned()),
            expires: Timestamp::MAX,
        };
        self.verifier.tokens.lock().unwrap().insert(text.to_owned(), Arc::new(token));
    }

    /// Makes a bearer token good, whatever is in it.
    pub(crate) fn raw_token(&self, text: &str, token: VerifiedToken) {
        self.verifier.tokens.lock().unwrap().insert(text.to_owned(), Arc::new(token));
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }

    /// The time that the store shows, if the clock was never turned back.
    pub(crate) fn store_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An API call, whose answer the document declares. The body is `null` where it isn't JSON.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.request(method, path).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = self.send(request).await;
        (answer.status, answer.json)
    }

    /// Begins Ann's delegation for Bob.
    pub(crate) async fn begin(&self) -> String {
        let body = json!({"delegator": "bob@example.test"});
        let (status, begun) = self.call(Method::POST, "/v1/delegations", "ann", Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{begun}");
        begun["delegationid"].as_str().unwrap().to_owned()
    }

    /// Delivers a hook: status and body.
    pub(crate) async fn deliver(&self, body: &str) -> (u16, String) {
        let answer = self
            .http
            .post(format!("{}/hooks/okta", self.url))
            .header("authorization", HOOK_SECRET)
            .header("content-type", "application/json")
            .body(body.to_owned())
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Every event of the default tenant.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let stored = self.services.store.events(&TenantName::default_tenant(), Seq(0), 1000).await.unwrap();
        stored.iter().map(|s| serde_json::from_slice(&s.body).unwrap()).collect()
    }

    /// Codes and exact reasons of the events so far.
    pub(crate) async fn trail(&self) -> Vec<(String, Option<String>)> {
        self.events().await.into_iter().map(|e| (e.code, e.outcome.reason)).collect()
    }

    /// The reaper's pass over the default tenant.
    /// Delegations that wait, as the metrics count them.
    pub(crate) async fn pending(&self) -> u64 {
        reaper::pending(&self.services, &TenantName::default_tenant()).await.unwrap()
    }

    pub(crate) async fn reap(&self) -> reaper::Pass {
        reaper::pass(&self.services, &TenantName::default_tenant(), &mut reaper::Places::default()).await.unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

/// A refresh hook of Ann's through the app, with this delegation id in the token URL.
pub(crate) fn refresh_hook(event: &str, id: Option<&str>) -> Value {
    let query = id.map(|id| format!("?delegationid={id}")).unwrap_or_default();
    json!({
        "source": format!("{ISSUER}/v1/token"), "eventId": event, "eventTime": "2026-11-21T10:00:00.000Z",
        "eventTypeVersion": "1.0", "cloudEventVersion": "0.1", "contentType": "application/json",
        "eventType": "com.okta.oauth2.tokens.transform",
        "data": {
            "context": {
                "request": {"id": "req1", "method": "POST", "url": {"value": format!("{ISSUER}/v1/token{query}")},
                            "ipAddress": "127.0.0.1"},
                "protocol": {
                    "type": "OAUTH2.0", "request": {"grant_type": "refresh_token", "scope": "openid behalf"},
                    "originalGrant": {"authorization": {"state": "the-login-state"}},
                    "issuer": {"uri": ISSUER}, "client": {"id": CLIENT, "name": "App", "type": "PUBLIC"}},
                "user": {"id": "00uann", "profile": {"login": "ann@example.test"}},
                "policy": {"id": "pol", "rule": {"id": "rul"}}},
            "identity": {"claims": {"sub": "00uann", "department": "Eng"}, "token": {"lifetime": {"expiration": 3600}}},
            "access": {
                "claims": {"sub": "ann@example.test", "uid": "00uann", "can_delegate": "True", "costCenter": "1"},
                "token": {"lifetime": {"expiration": 3600}},
                "scopes": {"openid": {"id": "s1", "action": "GRANT"}, "behalf": {"id": "s2", "action": "GRANT"}}}}
    })
}

/// Waits until it holds, at most 10 s.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "this did not come: {what}");
        ticks.tick().await;
    }
}
