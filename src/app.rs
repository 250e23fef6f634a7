//! Use cases. They read, ask `policy` and `domain`, and commit: what is atomic is written here.

pub mod answer_hook;
pub mod application;
pub mod approvals;
pub mod audit;
pub mod begin_delegation;
pub mod caller;
mod commit;
pub mod delegations;
pub mod deliver;
mod denied;
pub mod epoch;
pub mod error;
pub mod explain;
pub mod grants;
pub mod growth;
pub mod idempotency;
pub mod keys;
pub mod kinds;
pub mod listing;
pub mod locks;
pub mod notify;
pub mod otp;
mod part;
pub mod past;
pub mod readings;
pub mod reaper;
pub mod records;
pub mod reservations;
pub mod retention;
mod room;
pub mod sealed;
pub mod sealer;
pub mod trail;
mod tries;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;

use crate::{
    domain::{
        audit::{Actor, Code, Event},
        claims::ClaimsPolicy,
        hook::RefusalForm,
        ids::{EventId, Issuer, TenantName},
        otp::OtpKeys,
        shared_account::SharedAccounts,
    },
    policy::{InForce, Pipeline},
    ports::{
        clock::Clock,
        directory::Directory,
        entropy::{self, Entropy},
        shown::ShownGrants,
        signer::Signer,
        store::{ChangeId, Store},
    },
};

/// How long parts of a hook may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// All of it, from the body read to the answer written.
    pub hook: Duration,
    /// One commit.
    pub commit: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { hook: Duration::from_millis(2200), commit: Duration::from_millis(500) }
    }
}

/// Bounds on delegations.
#[derive(Debug, Clone, Copy)]
pub struct DelegationLimits {
    /// From initiation to the last moment of use.
    pub life: SignedDuration,
    /// Pending ones per agent.
    pub max_pending: usize,
    /// Requests for approval that one requester may have open at a time.
    pub max_open: usize,
    /// The shortest life, in seconds, that the identity provider can give a token; `None`: none of it can be set.
    pub least_lifetime: Option<u64>,
}

impl Default for DelegationLimits {
    fn default() -> Self {
        Self { life: SignedDuration::from_secs(60), max_pending: 10, max_open: 20, least_lifetime: None }
    }
}

/// One IdP, one directory, one policy.
pub struct Tenant {
    /// Its name.
    pub name: TenantName,
    /// Its authorization server.
    pub issuer: Issuer,
    /// Its users and grants.
    pub directory: Arc<dyn Directory>,
    /// The same for hooks, which nothing else can keep waiting.
    pub directory_of_hooks: Arc<dyn Directory>,
    /// The same for people's eyes; maybe not of this moment.
    pub shown: Arc<dyn ShownGrants>,
    /// What it demands.
    pub policy: InForce,
    /// Accounts that are used by reservation.
    pub shared: SharedAccounts,
    /// Applications without OIDC.
    pub applications: application::Registry,
    /// Seals the secrets of one-time codes; `None`: there are none.
    pub otp_keys: Option<Arc<OtpKeys>>,
    /// How its delegated tokens look.
    pub claims: ClaimsPolicy,
    /// What refusals and failures do to a token.
    pub refusal: RefusalForm,
    /// Bounds on delegations.
    pub limits: DelegationLimits,
    /// Bounds on time.
    pub budget: Budget,
    /// What it demands of approvers' keys.
    pub keys: keys::KeyPolicy,
    /// How its users' tokens are read.
    pub identity: caller::IdentityPolicy,
}

/// What every use case works with.
pub struct Services {
    /// Records and events.
    pub store: Arc<dyn Store>,
    /// Time for everything but stored records.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What signs decisions, and the trail.
    pub signing: keys::service::SigningDesk,
    /// The stages.
    pub pipeline: Pipeline,
    /// Tenants by name.
    pub tenants: BTreeMap<TenantName, Arc<Tenant>>,
    /// Where hooks are answered, so that a caller who hangs up interrupts nothing.
    pub runtime: tokio::runtime::Handle,
    /// Work that a shutdown waits for.
    pub tracker: TaskTracker,
    /// Brake on events about unknown ids.
    pub unknown_ids: answer_hook::UnknownIds,
    /// Who waits for changes of approvals.
    pub watchers: approvals::watching::Watchers,
}

impl Services {
    /// With the standard stages, on the present runtime, and with nothing going on yet.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        signer: Arc<dyn Signer>,
        tenants: BTreeMap<TenantName, Arc<Tenant>>,
    ) -> Self {
        Self {
            store,
            clock,
            entropy,
            signing: keys::service::SigningDesk::new(signer),
            pipeline: Pipeline::standard(),
            tenants,
            runtime: tokio::runtime::Handle::current(),
            tracker: TaskTracker::new(),
            unknown_ids: answer_hook::UnknownIds::default(),
            watchers: approvals::watching::Watchers::default(),
        }
    }

    /// A new attempt's id.
    pub fn change_id(&self) -> ChangeId {
        ChangeId(entropy::bytes(&*self.entropy))
    }

    /// A new event of this tenant, at the store's time.
    pub fn event(&self, tenant: &TenantName, code: Code, actor: Actor, now: Timestamp) -> Event {
        Event::new(code, tenant, actor, EventId::mint(now, entropy::bytes(&*self.entropy)), now)
    }

    /// The tenant of that name.
    pub fn tenant(&self, name: &TenantName) -> Option<&Arc<Tenant>> {
        self.tenants.get(name)
    }
}
