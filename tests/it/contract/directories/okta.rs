//! The Okta connector over the fake Okta: one that keeps changes apart, one without ETags, one that ignores them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use behalf::{
    adapters::{
        directory::okta::{Kinds, OktaDirectory, Settings, Tools, auth::Credentials},
        http_client,
        oidc::install_crypto,
        system::OsEntropy,
    },
    domain::ids::{GroupId, TenantName, UserId},
    ports::{
        clock::{Clock, ManualClock},
        directory::Directory,
        store::Store,
    },
};
use jiff::SignedDuration;

use super::{Rig, composed};
use crate::support::{
    fake_okta::{Budget, Endpoint, FakeOkta, TOKEN},
    model_store::ModelStore,
    proxy::Proxy,
};

const ENDPOINTS: [Endpoint; 6] = [
    Endpoint::ReadUser,
    Endpoint::Users,
    Endpoint::UpdateUser,
    Endpoint::Groups,
    Endpoint::Members,
    Endpoint::LinkedObjects,
];

struct Okta {
    fake: FakeOkta,
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    line: Proxy,
    made: AtomicUsize,
}

fn start() -> Okta {
    install_crypto();
    let clock = Arc::new(ManualClock::at("2026-11-20T12:00:00Z".parse().unwrap()));
    let fake = FakeOkta::start(Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let line = Proxy::to(fake.url.trim_start_matches("http://"));
    // Okta names the next page of a list by the address that it was asked at.
    fake.set(|state| state.next_origin = Some(format!("http://{}", line.address())));
    let store = Arc::new(ModelStore::new(Arc::clone(&clock)));
    Okta { fake, clock, store, line, made: AtomicUsize::new(0) }
}

#[expect(clippy::unused_async, reason = "others have a server to start")]
pub(super) async fn rig() -> Option<Arc<dyn Rig>> {
    Some(Arc::new(start()))
}

#[expect(clippy::unused_async, reason = "others have a server to start")]
pub(super) async fn without_etags() -> Option<Arc<dyn Rig>> {
    let okta = start();
    okta.fake.set(|state| state.etags = false);
    Some(Arc::new(okta))
}

#[expect(clippy::unused_async, reason = "others have a server to start")]
pub(super) async fn without_if_match() -> Option<Arc<dyn Rig>> {
    let okta = start();
    okta.fake.set(|state| state.if_match = false);
    Some(Arc::new(okta))
}

impl Okta {
    fn next(&self, prefix: &str) -> String {
        format!("{prefix}Ab{:015}", self.made.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Okta {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.fake.violations(), Vec::<String>::new());
        }
    }
}

#[async_trait]
impl Rig for Okta {
    async fn directory(&self) -> Arc<dyn Directory> {
        let tools = Tools {
            http: http_client::build(None).unwrap(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            entropy: Arc::new(OsEntropy),
            store: Arc::clone(&self.store),
            tenant: TenantName::default_tenant(),
        };
        let url = format!("http://{}", self.line.address()).parse().unwrap();
        let settings = Settings { url, credentials: Credentials::ApiToken(TOKEN.into()), kinds: Kinds::default() };
        composed(Arc::new(OktaDirectory::new(settings, &tools).unwrap()))
    }

    async fn put(&self, login: &str) -> UserId {
        let id = self.next("00u");
        self.fake.add(&id, login);
        UserId::parse(&id).unwrap()
    }

    async fn suspend(&self, user: &UserId) {
        self.fake.edit(user.as_str(), |account| "SUSPENDED".clone_into(&mut account.status));
    }

    async fn delete(&self, user: &UserId) {
        self.fake.set(|state| state.users.remove(user.as_str()));
    }

    async fn group(&self, members: &[UserId]) -> Option<GroupId> {
        let group = self.next("00g");
        self.fake.set(|state| {
            state.empty_groups.insert(group.clone());
            for member in members {
                state.groups.entry(member.to_string()).or_default().push(group.clone());
            }
        });
        GroupId::parse(&group).ok()
    }

    fn nobodys_group(&self) -> GroupId {
        GroupId::parse("00gNobodysGroup00000").unwrap()
    }

    async fn list(&self, delegator: &UserId, agents: &[UserId]) {
        let agents: Vec<&str> = agents.iter().map(UserId::as_str).collect();
        self.fake.set_agents(delegator.as_str(), &agents);
    }

    fn line(&self) -> Option<&Proxy> {
        Some(&self.line)
    }

    async fn throttle(&self, on: bool) -> bool {
        let until = self.clock.now().as_second() + 60;
        let budget = if on { Budget::spent(600, until) } else { Budget::of(600_000) };
        self.fake.set(|state| state.budgets.extend(ENDPOINTS.map(|endpoint| (endpoint, budget))));
        if !on {
            self.clock.advance(SignedDuration::from_mins(3));
        }
        true
    }
}
