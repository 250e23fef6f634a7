//! Two processes of the binary over one Redis, and what lies in there.

use std::{process::Command, time::Duration};

use behalf::{
    adapters::{
        audit::signing::{self, SigningKey},
        http_client,
        store::redis::RedisStore,
    },
    app::sealed,
    domain::{
        audit::Event,
        chain::{Keyring, Report, Settings, Start, Verifier},
        ids::{DelegationId, DelegationRef, TenantName},
    },
    ports::{
        signer::Signer as _,
        store::{Seq, Store as _},
    },
};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;

pub(super) use crate::durability::rig::disturbed;
use crate::{
    contract::redis::over,
    durability::rig::{Caller, PATIENT, Process, Told, World},
    support::{process::until, redis::Redis},
};

/// A Redis, and the world of the processes over it.
pub(super) struct Shared {
    pub(super) redis: Redis,
    pub(super) world: World,
    variables: Vec<(&'static str, &'static str)>,
}

impl Shared {
    /// With these variables for every process.
    pub(super) async fn new(agents: usize, variables: &[(&'static str, &'static str)]) -> Self {
        let variables = PATIENT.iter().chain(variables).copied().collect();
        Self { redis: Redis::start(&[]).await, world: World::new(agents), variables }
    }

    fn command(&self) -> Command {
        let mut command = self.world.command(&format!("redis://{}/0", self.redis.address()));
        command.envs(self.variables.iter().copied());
        command
    }

    /// Starts one more process.
    pub(super) async fn process(&self) -> Process {
        self.world.launch(&mut self.command()).ready().await
    }

    /// Two processes; Bob has granted every agent.
    pub(super) async fn pair(&self) -> [Process; 2] {
        let (one, two) = tokio::join!(self.process(), self.process());
        self.world.grant_all(&self.world.caller(&one)).await;
        [one, two]
    }

    /// Whoever calls both.
    pub(super) fn callers(&self, pair: &[Process; 2]) -> [Caller; 2] {
        pair.each_ref().map(|process| self.world.caller(process))
    }

    /// A look at the store past the processes.
    pub(super) fn store(&self) -> RedisStore {
        over(&self.redis)
    }

    /// Verifies the whole chain, once all of it is sealed. Nothing may be written meanwhile.
    pub(super) async fn verified(&self) -> Report {
        let (store, tenant) = (self.store(), TenantName::default_tenant());
        let last = all_events(&store, Vec::new()).await.last().map_or(0, |(seq, _)| seq.0);
        until("a trail that is sealed to its end", async || {
            let page = sealed::page(&store, &tenant, last, 1).await.unwrap();
            (page.head.seq >= last).then_some(())
        })
        .await;
        let marks = sealed::marks(&store, &tenant, None).await.unwrap();
        assert!(marks.next.is_none() && !marks.checkpoints.is_empty(), "all checkpoints are in one page");
        let key = SigningKey::load(&self.world.signing_key()).unwrap().public_key();
        assert!(marks.keys.unwrap().all().eq([key]), "one key signs for all processes");
        let keys = Keyring::new([key], signing::verify);
        let checkpoints = marks.checkpoints.into_iter().chain(marks.latest).collect();
        let (start, from, to) = (Start::Whole, None, None);
        let mut verifier =
            Verifier::new(Settings { tenant: tenant.clone(), start, from, to, repeats: false, checkpoints, keys });
        let mut after = 0;
        loop {
            let page = sealed::page(&store, &tenant, after, 1000).await.unwrap();
            let Some(end) = page.entries.last() else { break };
            after = end.seq;
            for entry in &page.entries {
                verifier.feed(entry).unwrap();
            }
        }
        let report = verifier.finish().unwrap();
        assert_eq!((report.range, report.entries, report.repeated), (Some((1, last)), last, 0));
        assert!(report.anchored && report.checkpoints > 0, "{report:?}");
        report
    }
}

/// Every event behind those that are known; the numbers have no gap.
pub(super) async fn all_events(store: &RedisStore, mut known: Vec<(Seq, Event)>) -> Vec<(Seq, Event)> {
    loop {
        let after = known.last().map_or(Seq(0), |(seq, _)| *seq);
        let page = store.events(&TenantName::default_tenant(), after, 1000).await.unwrap();
        if page.is_empty() {
            return known;
        }
        for stored in page {
            assert_eq!(stored.seq.0, known.len() as u64 + 1, "numbers without a gap");
            known.push((stored.seq, serde_json::from_slice(&stored.body).unwrap()));
        }
    }
}

/// Reads the trail until so many events of this code are there.
pub(super) async fn trail_with(store: &RedisStore, code: &str, count: usize) -> Vec<(Seq, Event)> {
    let mut known = Vec::new();
    until(&format!("{count} events {code}"), async || {
        known = all_events(store, std::mem::take(&mut known)).await;
        (known.iter().filter(|(_, event)| event.code == code).count() >= count).then_some(())
    })
    .await;
    known
}

/// How the trail names a delegation.
pub(super) fn reference(id: &str) -> String {
    DelegationRef(DelegationId::parse(id).unwrap().record()).to_string()
}

/// The delegation that an event tells of.
pub(super) fn delegation_of(event: &Event) -> Option<&str> {
    event.target.iter().find(|target| target.kind == "delegation").map(|target| target.id.as_str())
}

/// How often a process has asked its store for this so far. On a connection of its own: one that was kept for later
/// may be closed by a process that slept.
pub(super) async fn asked(caller: &Caller, operation: &str) -> u64 {
    let client = http_client::build(None).unwrap();
    let answer = client.get(format!("{}/metrics", caller.url)).send().await;
    let text = answer.unwrap().text().await.unwrap();
    let counts = text.lines().filter(|line| {
        line.starts_with("behalf_store_seconds_count") && line.contains(&format!("operation=\"{operation}\""))
    });
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Far more than anything here takes, however busy the machine is.
pub(super) const DEADLINE: Duration = Duration::from_mins(1);

/// Begins an agent's delegation for Bob. Where the machine is so busy that the budgets run out, again.
pub(super) async fn begin(caller: &Caller, agent: usize) -> String {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        match caller.begin(agent).await {
            Some(Ok(id)) => return id,
            None | Some(Err(StatusCode::SERVICE_UNAVAILABLE)) => tokio::task::yield_now().await,
            Some(Err(other)) => panic!("an initiation was answered {other}"),
        }
    }
    panic!("no delegation in {DEADLINE:?}")
}

/// Delivers a hook. While the machine is so busy that the budgets run out: the same again, which settles what became of
/// it.
pub(super) async fn settle(caller: &Caller, body: &str) -> Told {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        let told = caller.deliver(body).await;
        if !disturbed(&told) {
            return told;
        }
        tokio::task::yield_now().await;
    }
    panic!("no answer in {DEADLINE:?}")
}

/// A call that must be answered with this status.
pub(super) async fn call(caller: &Caller, method: Method, path: &str, who: usize, status: u16) {
    let body = (method == Method::POST).then(|| serde_json::json!({}));
    let (answered, body) = caller.call(method, path, who, body).await.unwrap();
    assert_eq!(answered.as_u16(), status, "{path}: {body}");
}
