//! Which node of a cluster has a tenant's slot.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use redis::{FromRedisValue as _, Value, cmd};
use tokio::{sync::Mutex, time::Instant};

use super::{
    Address, Dial,
    fault::{self, Fault},
    keys,
    link::{self, Link, Mode},
    target::{Finder, Target},
};
use crate::domain::ids::TenantName;

/// Between two looks at the map of slots, however many callers want one.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Ranges of slots, each with its master.
pub(super) type Slots = Vec<(u16, u16, Address)>;

/// The nodes of a cluster.
pub(super) struct Cluster {
    seeds: Vec<Address>,
    dial: Arc<Dial>,
    targets: DashMap<Address, Arc<Target>>,
    slots: ArcSwap<Slots>,
    looked: Mutex<Option<(Instant, Result<(), Fault>)>>,
}

impl Cluster {
    pub(super) fn new(seeds: Vec<Address>, dial: Arc<Dial>) -> Self {
        let slots = ArcSwap::from_pointee(Vec::new());
        Self { seeds, dial, targets: DashMap::new(), slots, looked: Mutex::new(None) }
    }

    /// A link to the master of the tenant's slot.
    pub(super) async fn link(&self, tenant: &TenantName) -> Result<Arc<Link>, Fault> {
        let known = master_of(&self.slots.load(), tenant);
        let first = match &known {
            Ok(address) => self.target(address).link().await,
            Err(nobody) => Err(nobody.clone()),
        };
        let Err(why) = first else { return first };
        self.look().await?;
        match master_of(&self.slots.load(), tenant) {
            Ok(address) if known.as_ref() != Ok(&address) => self.target(&address).link().await,
            _ => Err(why),
        }
    }

    fn target(&self, address: &Address) -> Arc<Target> {
        if let Some(target) = self.targets.get(address) {
            return Arc::clone(&target);
        }
        let start = || Target::start(Finder::At(address.clone(), Mode::Node), &self.dial);
        Arc::clone(&self.targets.entry(address.clone()).or_insert_with(start))
    }

    /// Asks the nodes for the map of slots, unless somebody did so just now.
    pub(super) async fn look(&self) -> Result<(), Fault> {
        let mut looked = self.looked.lock().await;
        if let Some((at, result)) = &*looked
            && at.elapsed() < LOOK_AGAIN
        {
            return result.clone();
        }
        let result = self.ask_somebody().await.map(|slots| {
            self.targets.retain(|address, _| slots.iter().any(|(_, _, master)| master == address));
            self.slots.store(Arc::new(slots));
        });
        *looked = Some((Instant::now(), result.clone()));
        result
    }

    async fn ask_somebody(&self) -> Result<Slots, Fault> {
        let mut nodes = masters(&self.slots.load());
        nodes.extend(self.seeds.iter().filter(|seed| !nodes.contains(seed)).cloned().collect::<Vec<_>>());
        ask_any(&nodes, &self.dial).await
    }
}

/// The map of slots, as the first of the nodes tells it that can.
pub(super) async fn ask_any(nodes: &[Address], dial: &Dial) -> Result<Slots, Fault> {
    let mut why = Vec::new();
    for node in nodes {
        match slots_as_told_by(node, dial).await {
            Ok(slots) => return Ok(slots),
            Err(fault) => why.push(fault.to_string()),
        }
    }
    Err(Fault::Away(format!("no node of the cluster answers: {}", why.join("; "))))
}

/// The master of the tenant's slot.
pub(super) fn master_of(slots: &Slots, tenant: &TenantName) -> Result<Address, Fault> {
    let slot = keys::slot(tenant);
    let found = slots.iter().find(|(from, to, _)| (*from..=*to).contains(&slot));
    found.map(|(_, _, master)| master.clone()).ok_or_else(|| {
        Fault::Away(format!("no node of the cluster has slot {slot}, where tenant `{tenant}` lies (BEHALF_STORE)"))
    })
}

/// Every master, once.
pub(super) fn masters(slots: &Slots) -> Vec<Address> {
    let mut all: Vec<Address> = slots.iter().map(|(_, _, master)| master.clone()).collect();
    all.sort();
    all.dedup();
    all
}

async fn slots_as_told_by(node: &Address, dial: &Dial) -> Result<Slots, Fault> {
    // Of another kind of server it is said what it is, before it is asked what it can't know.
    let (mut connection, _) = link::hello(node, Mode::Node, dial).await?;
    let mut command = cmd("CLUSTER");
    command.arg("SLOTS");
    let told: Vec<Vec<Value>> = command.query_async(&mut connection).await.map_err(|error| of_map(node, &error))?;
    Ok(told.iter().filter_map(|range| range_of(range, node)).collect())
}

fn of_map(node: &Address, error: &redis::RedisError) -> Fault {
    if fault::explain(error).contains("cluster support disabled") {
        return Fault::Refused(format!("{node} is no node of a cluster: BEHALF_STORE must be `redis://…`"));
    }
    fault::of_greeting(node, error)
}

/// `[from, to, [host, port, …], replicas…]`; an empty or unknown host is the one that was asked.
fn range_of(range: &[Value], asked: &Address) -> Option<(u16, u16, Address)> {
    let [from, to, Value::Array(master), ..] = range else { return None };
    let number = |value: &Value| u16::from_redis_value_ref(value).ok();
    let host = master.first().and_then(|host| Option::<String>::from_redis_value_ref(host).ok()).flatten();
    let host = host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| asked.host.clone());
    Some((number(from)?, number(to)?, Address { host, port: number(master.get(1)?)? }))
}
