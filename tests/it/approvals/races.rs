//! Who comes at the same time. Over the embedded store, and over a Redis that two processes share: each of the two has
//! services and a connection of its own.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use behalf::{
    adapters::{
        audit::signing::SigningKey,
        directory::shown::Live,
        store::embedded::{EmbeddedStore, Place, Settings},
        system::OsEntropy,
    },
    app::{
        Budget, DelegationLimits, Services, Tenant,
        application::Registry,
        approvals::{self, Cast},
        caller::IdentityPolicy,
        epoch,
        keys::KeyPolicy,
        reaper,
    },
    domain::{
        approval::{ApprovalId, Choice, Template},
        audit::Event,
        claims::{ClaimNames, ClaimsPolicy},
        hook::RefusalForm,
        ids::{Issuer, TenantName},
        shared_account::SharedAccounts,
    },
    policy::TenantPolicy,
    ports::{
        clock::{Clock, ManualClock},
        store::{Seq, Store},
    },
};
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use super::rig::*;
use crate::{
    contract::redis::over_with,
    durability::{Dice, setting},
    support::{
        fake_directory::FakeDirectory,
        redis::Redis,
        test_app::{ISSUER, uid, user},
    },
};

/// Schedules of one race: 40 for each of `BEHALF_TEST_ROUNDS`, so 200 in plain runs, and 1,000 where 25 are asked for.
fn schedules() -> usize {
    usize::try_from(setting("BEHALF_TEST_ROUNDS").unwrap_or(5)).unwrap() * 40
}

struct Pair {
    services: [Arc<Services>; 2],
    clock: Arc<ManualClock>,
    /// The trail is read once, however many schedules are run on it: as far as here.
    read: Mutex<Seq>,
    over: &'static str,
    _redis: Option<Redis>,
}

/// How often a race ended how.
type Ends = BTreeMap<String, usize>;

fn directory() -> FakeDirectory {
    let directory = FakeDirectory::default();
    for name in ["ann", "bob", "ada", "ben", "cleo"] {
        directory.put(user(&format!("00u{name}"), &format!("{name}@example.test"), &json!({})));
    }
    directory.set_grant(&uid("00ubob"), &uid("00uann"), true);
    directory
}

async fn services(store: Arc<dyn Store>, clock: &Arc<ManualClock>) -> Arc<Services> {
    let name = TenantName::default_tenant();
    let directory = Arc::new(directory());
    let tenant = Tenant {
        name: name.clone(),
        issuer: Issuer::parse(ISSUER).unwrap(),
        directory: Arc::clone(&directory) as _,
        directory_of_hooks: Arc::clone(&directory) as _,
        shown: Arc::new(Live::new(directory as _)),
        policy: TenantPolicy::default().into(),
        shared: SharedAccounts::default(),
        applications: Registry::default(),
        otp_keys: None,
        claims: ClaimsPolicy::default(),
        refusal: RefusalForm::default(),
        limits: DelegationLimits::default(),
        budget: Budget::default(),
        keys: KeyPolicy::default(),
        identity: IdentityPolicy {
            user_claim: "uid".to_owned(),
            administrator: None,
            break_glass: None,
            scope: None,
            claims: ClaimNames::default(),
        },
    };
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let signer = Arc::new(SigningKey::ephemeral(&OsEntropy).unwrap());
    let tenants = [(name.clone(), Arc::new(tenant))].into();
    let services = Services::new(store, clock, Arc::new(OsEntropy), signer, tenants);
    epoch::ensure(&services, &name, 0).await.unwrap();
    Arc::new(services)
}

impl Pair {
    async fn embedded() -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-21T10:00:00Z".parse().unwrap()));
        let settings = Settings::new(Place::Memory);
        let store = EmbeddedStore::open(&settings, Arc::<ManualClock>::clone(&clock), &OsEntropy).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let services = [services(Arc::clone(&store), &clock).await, services(store, &clock).await];
        Self { services, clock, read: Mutex::new(Seq(0)), over: "embedded", _redis: None }
    }

    async fn redis() -> Self {
        let (redis, clock) =
            (Redis::start(&[]).await, Arc::new(ManualClock::at("2026-11-21T10:00:00Z".parse().unwrap())));
        let mut both = Vec::new();
        for _ in 0..2 {
            both.push(services(Arc::new(over_with(&redis, &clock)), &clock).await);
        }
        let services = both.try_into().unwrap_or_else(|_| unreachable!());
        Self { services, clock, read: Mutex::new(Seq(0)), over: "over Redis", _redis: Some(redis) }
    }

    async fn asked(&self, template: Template, round: usize) -> ApprovalId {
        let want = Want { ticket: Some(round.to_string()), ..Want::of(template) };
        let caller = somebody(&self.services[0], "00uann");
        pending(ensure_as(&self.services[round % 2], &caller, &want).await).id
    }

    /// What was told of this approval since somebody asked last.
    async fn events(&self, of: ApprovalId) -> Vec<Event> {
        let (mut all, mut after) = (Vec::new(), *self.read.lock().unwrap());
        loop {
            let page = self.services[0].store.events(&TenantName::default_tenant(), after, 1000).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.seq;
            all.extend(page.iter().map(|stored| serde_json::from_slice::<Event>(&stored.body).unwrap()));
        }
        *self.read.lock().unwrap() = after;
        all.retain(|event| event.target.iter().any(|target| target.id == of.to_string()));
        all
    }

    /// Says how it went. A race that one side always wins is none.
    #[expect(clippy::print_stdout, reason = "for whoever runs the tests")]
    fn ended(&self, race: &str, ends: &Ends) {
        assert!(ends.len() > 1, "{race}: {ends:?}");
        println!("{race}, two services, {}: {} schedules: {ends:?}", self.over, ends.values().sum::<usize>());
    }

    async fn state(&self, id: ApprovalId) -> &'static str {
        let (services, mut root) = (&self.services[0], somebody(&self.services[0], "00uroot"));
        root.administrator = true;
        approvals::find(services, &tenant_of(services), &root, id).await.unwrap().state.name()
    }
}

/// What can be done to an approval.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Approve(&'static str),
    Deny(&'static str),
    Withdraw,
    Revoke,
    Use,
    /// The clock reaches the deadline, and the reaper comes.
    Expire,
}

async fn act(pair: &Pair, at: usize, id: ApprovalId, deed: Deed) -> bool {
    let services = &pair.services[at];
    let tenant = tenant_of(services);
    let cast = |choice| Cast { choice, version: 1, comment: None };
    let who = |name: &str| somebody(services, &format!("00u{name}"));
    match deed {
        Deed::Approve(name) => {
            approvals::vote(services, &tenant, &who(name), id, cast(Choice::Approve), None).await.is_ok()
        }
        Deed::Deny(name) => approvals::vote(services, &tenant, &who(name), id, cast(Choice::Deny), None).await.is_ok(),
        Deed::Withdraw => approvals::withdraw(services, &tenant, &who("ann"), id).await.is_ok(),
        Deed::Revoke => approvals::revoke(services, &tenant, &who("ann"), id, None).await.is_ok(),
        Deed::Use => use_once(services, id).await.is_ok(),
        Deed::Expire => {
            pair.clock.advance(SignedDuration::from_hours(1));
            reaper::pass(services, &tenant.name, &mut reaper::Places::default()).await.unwrap().expired > 0
        }
    }
}

/// All deeds at once, at both processes, in a random order; what was said yes to, and how often each event was told.
async fn race(pair: &Pair, dice: &mut Dice, id: ApprovalId, deeds: &[Deed]) -> (Vec<bool>, BTreeMap<String, usize>) {
    let mut order: Vec<usize> = (0..deeds.len()).collect();
    for n in (1..order.len()).rev() {
        order.swap(n, usize::try_from(dice.throw(n as u64 + 1)).unwrap());
    }
    let first = usize::try_from(dice.throw(2)).unwrap();
    let acts = order.iter().map(async |n| (*n, act(pair, (n + first) % 2, id, deeds[*n]).await));
    let mut done = vec![false; deeds.len()];
    for (n, said) in join_all(acts).await {
        done[n] = said;
    }
    let mut told = BTreeMap::new();
    for event in pair.events(id).await.into_iter().filter(|event| event.outcome.result == "success") {
        *told.entry(event.code).or_default() += 1;
    }
    (done, told)
}

fn count(told: &BTreeMap<String, usize>, code: &str) -> usize {
    told.get(code).copied().unwrap_or(0)
}

async fn two_approvers_reach_quorum_at_once(pair: &Pair) {
    let (mut dice, mut ends) = (Dice::new(), Ends::new());
    for round in 0..schedules() {
        let id = pair.asked(of_two(), round).await;
        let deeds = [Deed::Approve("ada"), Deed::Approve("ben"), Deed::Approve("ada"), Deed::Approve("cleo")];
        let (done, told) = race(pair, &mut dice, id, &deeds).await;
        assert_eq!(done.iter().filter(|said| **said).count(), 2, "two votes count: {done:?}");
        assert!(!(done[0] && done[2]), "Ada counts once");
        assert_eq!((count(&told, "DA2001"), count(&told, "DA2002")), (2, 1), "exactly one approved event: {told:?}");
        assert_eq!(pair.state(id).await, "APPROVED");
        *ends.entry(format!("{done:?}")).or_default() += 1;
        assert!(act(pair, round % 2, id, Deed::Withdraw).await || act(pair, 0, id, Deed::Revoke).await);
    }
    pair.ended("a quorum of two, who counted of Ada, Ben, Ada and Cleo", &ends);
}

async fn vote_withdraw_and_expiry_end_it_once(pair: &Pair) {
    let (mut dice, mut ends) = (Dice::new(), Ends::new());
    for round in 0..schedules() {
        let id = pair.asked(template(), round).await;
        let expire = dice.throw(2) == 0;
        let mut deeds = vec![Deed::Approve("ada"), Deed::Withdraw, Deed::Deny("ben")];
        deeds.extend(expire.then_some(Deed::Expire));
        let (done, told) = race(pair, &mut dice, id, &deeds).await;
        let first: usize = ["DA2002", "DA2003", "DA2004", "DA2005"].iter().map(|code| count(&told, code)).sum();
        assert_eq!(first, 1, "one way out of PENDING: {done:?} {told:?}");
        let decided = done[..3].iter().filter(|said| **said).count();
        assert_eq!(decided, 1 - count(&told, "DA2004"), "{done:?} {told:?}");
        let expected = match (done[0], done[1], done[2]) {
            (true, ..) => {
                if expire {
                    ["APPROVED", "UNUSED_EXPIRED"]
                } else {
                    ["APPROVED"; 2]
                }
            }
            (_, true, _) => ["WITHDRAWN"; 2],
            (_, _, true) => ["DENIED"; 2],
            _ => ["EXPIRED"; 2],
        };
        let state = pair.state(id).await;
        assert!(expected.contains(&state), "{done:?} {told:?}");
        *ends.entry(state.to_owned()).or_default() += 1;
    }
    pair.ended("a vote, a withdrawal, a denial and at times the deadline", &ends);
}

async fn a_denial_and_the_last_approval_exclude_each_other(pair: &Pair) {
    let (mut dice, mut ends) = (Dice::new(), Ends::new());
    for round in 0..schedules() {
        let id = pair.asked(of_two(), round).await;
        assert!(act(pair, 0, id, Deed::Approve("ada")).await);
        let (done, told) = race(pair, &mut dice, id, &[Deed::Approve("ben"), Deed::Deny("cleo")]).await;
        assert_ne!(done[0], done[1], "{told:?}");
        let state = if done[0] { "APPROVED" } else { "DENIED" };
        assert_eq!(pair.state(id).await, state);
        *ends.entry(state.to_owned()).or_default() += 1;
        assert_eq!(count(&told, "DA2002") + count(&told, "DA2003"), 1, "{told:?}");
        act(pair, 0, id, Deed::Revoke).await;
    }
    pair.ended("a denial against the last approval", &ends);
}

async fn uses_never_exceed_and_none_comes_after_a_revocation(pair: &Pair) {
    let (mut dice, mut ends) = (Dice::new(), Ends::new());
    for round in 0..schedules() {
        let id = pair.asked(Template { max_uses: 2, ..template() }, round).await;
        assert!(act(pair, 0, id, Deed::Approve("ada")).await);
        let deeds = [Deed::Use, Deed::Use, Deed::Use, Deed::Use, Deed::Revoke];
        let (done, told) = race(pair, &mut dice, id, &deeds).await;
        let uses = done[..4].iter().filter(|said| **said).count();
        assert!(uses <= 2, "{done:?}");
        assert_eq!(count(&told, "DA2007"), uses);
        assert_eq!(count(&told, "DA2006"), usize::from(done[4]));
        assert_eq!(count(&told, "DA2008"), usize::from(uses == 2), "{told:?}");
        act(pair, 0, id, Deed::Revoke).await;
        assert!(!act(pair, 1, id, Deed::Use).await, "nothing comes after the end");
        let revoked = if done[4] { ", revoked" } else { "" };
        *ends.entry(format!("{uses} uses{revoked}")).or_default() += 1;
    }
    pair.ended("four uses of two against a revocation", &ends);
}

#[expect(clippy::print_stdout, reason = "for whoever runs the tests")]
async fn the_same_request_at_both_stands_once(pair: &Pair) {
    for round in 0..schedules() {
        let want = Want { ticket: Some(format!("both-{round}")), ..Want::of(template()) };
        let asks = (0..4).map(async |n| {
            let services = &pair.services[n % 2];
            let caller = somebody(services, "00uann");
            // One that was overtaken three times says so, and is asked again as a client would.
            loop {
                match ensure_as(services, &caller, &want).await {
                    Err(behalf::app::error::AppError::Failed { .. }) => {}
                    other => break pending(other).id,
                }
            }
        });
        let ids = join_all(asks).await;
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(pair.events(ids[0]).await.len(), 1);
        assert!(act(pair, 0, ids[0], Deed::Withdraw).await);
    }
    println!("the same request four times, two services, {}: {} schedules, each stands once", pair.over, schedules());
}

macro_rules! races {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::Pair::embedded().await).await;
            })+
        }

        mod over_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::Pair::redis().await).await;
            })+
        }
    };
}

races!(
    two_approvers_reach_quorum_at_once,
    vote_withdraw_and_expiry_end_it_once,
    a_denial_and_the_last_approval_exclude_each_other,
    uses_never_exceed_and_none_comes_after_a_revocation,
    the_same_request_at_both_stands_once,
);
