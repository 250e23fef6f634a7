//! What is in Redis, read past the service.

use std::collections::BTreeMap;

use behalf::{
    adapters::store::redis::{RedisStore, Topology},
    app::records,
    domain::{
        audit::Event,
        delegation::Delegation,
        ids::{DelegationId, DelegationRef, TenantName},
    },
    ports::store::{Seq, Store as _},
};

use super::drive::Known;
use crate::contract::redis::{address, dial};

/// One server's records of one tenant.
pub(super) struct Probe {
    store: RedisStore,
    tenant: TenantName,
}

/// How the trail and what was acknowledged differ.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Grants that were acknowledged and aren't there.
    pub(super) lost_grants: usize,
    /// Initiations that were acknowledged and aren't there.
    pub(super) lost_begins: usize,
    pub(super) violations: Vec<String>,
}

impl Probe {
    /// At this server alone.
    pub(super) fn at(server: &str) -> Self {
        Self::new(Topology::Standalone(address(server)), TenantName::default_tenant())
    }

    pub(super) fn new(topology: Topology, tenant: TenantName) -> Self {
        Self { store: RedisStore::new(topology, dial(0), None), tenant }
    }

    /// Whether the id would be good there, were it not for the epoch.
    pub(super) async fn is_unused(&self, id: &str) -> bool {
        let key = records::delegation_key(DelegationId::parse(id).unwrap().record());
        let snapshot = self.store.read(&self.tenant, &[key]).await.unwrap();
        let (delegation, _) = records::find::<Delegation>(&snapshot, &key).unwrap().unwrap();
        delegation.is_pending(snapshot.now)
    }

    async fn trail(&self) -> Vec<(Seq, Event)> {
        let mut trail: Vec<(Seq, Event)> = Vec::new();
        loop {
            let after = trail.last().map_or(Seq(0), |(seq, _)| *seq);
            let page = self.store.events(&self.tenant, after, 1000).await.unwrap();
            if page.is_empty() {
                return trail;
            }
            trail.extend(page.into_iter().map(|e| (e.seq, serde_json::from_slice(&e.body).unwrap())));
        }
    }

    /// How often such an event was written.
    pub(super) async fn count(&self, code: &str) -> usize {
        self.trail().await.iter().filter(|(_, event)| event.code == code).count()
    }

    /// How often the epoch was raised.
    pub(super) async fn raised(&self) -> usize {
        self.count("DA9010").await
    }

    /// No gap in the trail, and nobody granted twice there.
    pub(super) async fn compare(&self, known: &[Known]) -> Compared {
        let trail = self.trail().await;
        let mut compared = Compared::default();
        if let Some((at, (seq, _))) = trail.iter().enumerate().find(|(at, (seq, _))| seq.0 != *at as u64 + 1) {
            compared.violations.push(format!("event {} has the number {}", at + 1, seq.0));
        }
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (_, event) in &trail {
            for target in event.target.iter().filter(|target| target.kind == "delegation") {
                *counts.entry((&event.code, &target.id)).or_default() += 1;
            }
        }
        for entry in known {
            let reference = DelegationRef(DelegationId::parse(&entry.id).unwrap().record()).to_string();
            let count = |code| counts.get(&(code, reference.as_str())).copied().unwrap_or(0);
            let (begun, granted) = (count("DA1100"), count("DA1000"));
            compared.lost_begins += usize::from(begun == 0);
            compared.lost_grants += usize::from(granted == 0 && entry.granted.is_some());
            if begun > 1 || granted > 1 {
                compared.violations.push(format!("{entry:?}: begun {begun} times, granted {granted} times"));
            }
        }
        compared
    }
}

/// For tests that ask it often.
pub(super) fn topology_of(cluster: &crate::support::redis::Cluster) -> Topology {
    Topology::Cluster(cluster.addresses().iter().map(|at| address(at)).collect())
}

/// For tests with sentinels.
pub(super) fn topology_behind(pair: &crate::support::redis::SentinelPair) -> Topology {
    let sentinels = pair.sentinel_addresses().iter().map(|at| address(at)).collect();
    Topology::Sentinel { sentinels, master: crate::support::redis::SentinelPair::NAME.to_owned() }
}
