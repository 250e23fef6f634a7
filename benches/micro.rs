//! What a hook costs without HTTP, store and disk: reading, deciding, patching, writing.
//!
//! `cargo bench --bench micro`

#![expect(clippy::expect_used, reason = "a benchmark whose parts don't work must stop")]

#[path = "support/hook.rs"]
mod hook;

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
};

use async_trait::async_trait;
use behalf::{
    adapters::dialect::okta::{HeaderSecrets, Okta, Settings},
    domain::{
        claims::{ClaimsPolicy, MappedClaim},
        hook::{Decision, Effect, Outcome, TraceLine},
        ids::{ClientId, GroupId, Login, UserId, UserRef},
        user::{Status, User},
    },
    policy::{Context, Pipeline, Spent, TenantPolicy},
    ports::{
        dialect::Dialect,
        directory::{Directory, DirectoryError, Members, Written},
    },
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use secrecy::SecretString;
use serde_json::json;

const ISSUER: &str = "https://login.example.test/oauth2/payments";
const ID: &str = "dlg_AaHuVl4AWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo";

fn okta() -> Okta {
    let secret = SecretString::from("Secret of the benchmark");
    let header = HeaderSecrets::new("authorization", &[secret]).expect("a good secret");
    Okta::new(Settings { header: Some(header), bearer: None })
}

fn user(id: &str) -> User {
    let profile = [("department", "Operations"), ("costCenter", "4711"), ("email", "bob@example.test")];
    User {
        id: UserId::parse(id).expect("an id"),
        login: Login::parse("bob@example.test").expect("a login"),
        status: Status::Active,
        user_type: None,
        profile: profile.map(|(name, value)| (name.to_owned(), json!(value))).into(),
    }
}

fn claims() -> ClaimsPolicy {
    let map = |names: &[&str]| names.iter().map(|n| MappedClaim::parse(n).expect("a claim")).collect();
    ClaimsPolicy {
        access: map(&["department", "costCenter"]),
        identity: map(&["department"]),
        ..ClaimsPolicy::default()
    }
}

/// Answers at once.
struct InMemory(BTreeMap<String, User>);

#[async_trait]
impl Directory for InMemory {
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError> {
        let UserRef::Id(id) = who else { return Ok(None) };
        Ok(self.0.get(id.as_str()).cloned())
    }

    async fn groups_of(&self, _: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        Ok(BTreeSet::new())
    }

    async fn members_of(&self, _: &GroupId, _limit: usize) -> Result<Option<Members>, DirectoryError> {
        Ok(None)
    }

    async fn is_granted(&self, _delegator: &UserId, _agent: &UserId) -> Result<bool, DirectoryError> {
        Ok(true)
    }

    async fn agents_of(&self, _delegator: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn delegators_of(&self, _agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn add_grant(&self, _delegator: &UserId, _agent: &UserId) -> Result<Written, DirectoryError> {
        Ok(Written::Already)
    }

    async fn remove_grant(&self, _delegator: &UserId, _agent: &UserId) -> Result<Written, DirectoryError> {
        Ok(Written::Already)
    }
}

fn dialect(c: &mut Criterion) {
    let okta = okta();
    let (plain, delegated) = (hook::hook(ISSUER, "00u1", "e1", None), hook::hook(ISSUER, "00u1", "e1", Some(ID)));
    let mut group = c.benchmark_group("decode");
    for (name, body) in [("untouched", &plain), ("delegated", &delegated)] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |b| b.iter(|| okta.decode(black_box(body.as_bytes())).is_ok()));
    }
    group.finish();

    let request = okta.decode(delegated.as_bytes()).expect("a hook");
    let (policy, bob) = (claims(), user("00u2"));
    c.bench_function("patch claims", |b| b.iter(|| policy.delegated(black_box(&request), black_box(&bob)).is_ok()));

    let patch = policy.delegated(&request, &bob).expect("a patch");
    let trace = ["grant", "lock", "rules"].map(|s| TraceLine { stage: s.to_owned(), said: "continue".to_owned() });
    let granted = Decision {
        outcome: Outcome::Granted,
        effect: Effect::Patch(patch),
        event: Some("evt_AaHuVl4AWlpaWlpaWlpaWg".to_owned()),
        trace: trace.into(),
        sealed: None,
    };
    let mut group = c.benchmark_group("encode");
    group.bench_function("untouched", |b| b.iter(|| okta.encode(black_box(&request), &Decision::UNTOUCHED)));
    group.bench_function("granted", |b| b.iter(|| okta.encode(black_box(&request), black_box(&granted))));
    group.finish();
}

fn pipeline(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let directory = InMemory(["00u1", "00u2"].map(|id| (id.to_owned(), user(id))).into());
    let (policy, stages) = (TenantPolicy::default(), Pipeline::standard());
    let (delegator, agent) = (user("00u2").id, user("00u1").id);
    let client = ClientId::parse("app").expect("a client");
    let scopes = BTreeSet::from(["openid".to_owned(), "payments.read".to_owned()]);
    let run = || async {
        let mut context = Context {
            policy: &policy,
            directory: &directory,
            delegator: &delegator,
            agent: &agent,
            client: &client,
            scopes: &scopes,
            bound_scopes: &scopes,
            locks: &[],
            brought: None,
            people: None,
            rule: None,
            spent: Spent::default(),
        };
        stages.run(&mut context).await.result.is_ok()
    };
    assert!(runtime.block_on(run()), "the pipeline refuses what it shall let pass");
    c.bench_function("pipeline", |b| b.iter(|| runtime.block_on(run())));
}

criterion_group!(benches, dialect, pipeline);
criterion_main!(benches);
