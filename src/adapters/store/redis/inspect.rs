//! What an operator ought to know of the servers: asked once, told in sentences.
//!
//! What can't be told is said, never guessed.

use std::collections::BTreeMap;

use redis::{aio::MultiplexedConnection, cmd};

use super::{
    Address, Dial, Topology, cluster,
    fault::{self, Fault},
    link::{self, Mode},
    target::ask_sentinel,
};
use crate::{adapters::finding::Finding, domain::ids::TenantName};

mod judge;
mod rights;

/// Asks every server that has one of the tenants. Writes nothing.
pub async fn inspect(topology: &Topology, dial: &Dial, tenants: &[TenantName]) -> Vec<Finding> {
    let mut found = Vec::new();
    let servers = match topology {
        Topology::Standalone(address) => BTreeMap::from([(address.clone(), tenants.to_vec())]),
        Topology::Sentinel { sentinels, master } => {
            let master = sentinels_say(sentinels, master, dial, &mut found).await;
            master.into_iter().map(|master| (master, tenants.to_vec())).collect()
        }
        Topology::Cluster(seeds) => by_node(seeds, tenants, dial, &mut found).await,
    };
    let mode = if matches!(topology, Topology::Cluster(_)) { Mode::Node } else { Mode::Alone };
    for (address, tenants) in servers {
        match server(&address, mode, dial, &tenants).await {
            Ok(said) => found.extend(said.into_iter().map(|finding| finding.at(&address))),
            Err(fault) => found.push(Finding::error(fault.to_string())),
        }
    }
    found
}

async fn sentinels_say(sentinels: &[Address], master: &str, dial: &Dial, found: &mut Vec<Finding>) -> Option<Address> {
    let dial = dial.for_sentinels();
    let (mut told, mut why) = (Vec::new(), Vec::new());
    for sentinel in sentinels {
        match ask_sentinel(sentinel, master, &dial).await {
            Ok(address) => told.push(address),
            Err(fault) => why.push(fault.to_string()),
        }
    }
    let Some(first) = told.first().cloned() else {
        found.push(Finding::error(format!("no sentinel tells who is master: {}", why.join("; "))));
        return None;
    };
    let text = format!("{} of {} sentinels answer; the master `{master}` is {first}", told.len(), sentinels.len());
    found.push(if why.is_empty() {
        Finding::good(text)
    } else {
        Finding::warning(format!("{text}; {}", why.join("; ")))
    });
    if let Some(other) = told.iter().find(|address| **address != first) {
        found.push(Finding::warning(format!("the sentinels don't agree: {first} and {other} are called the master")));
    }
    Some(first)
}

async fn by_node(
    seeds: &[Address],
    tenants: &[TenantName],
    dial: &Dial,
    found: &mut Vec<Finding>,
) -> BTreeMap<Address, Vec<TenantName>> {
    let mut nodes = BTreeMap::<_, Vec<_>>::new();
    let slots = match cluster::ask_any(seeds, dial).await {
        Ok(slots) => slots,
        Err(fault) => {
            found.push(Finding::error(fault.to_string()));
            return nodes;
        }
    };
    for tenant in tenants {
        match cluster::master_of(&slots, tenant) {
            Ok(node) => nodes.entry(node).or_default().push(tenant.clone()),
            Err(fault) => found.push(Finding::error(fault.to_string())),
        }
    }
    nodes
}

async fn server(address: &Address, mode: Mode, dial: &Dial, tenants: &[TenantName]) -> Result<Vec<Finding>, Fault> {
    let mut connection = link::connect(address, dial).await?;
    let told = Told::ask(&mut connection).await?;
    let mut found = told.judge(mode);
    // A server that is another one than the URL says answers nothing else as it should.
    let is_the_one = link::not_as_named(link::mode_of(&told.info), mode).is_none();
    if is_the_one && link::field(&told.info, "role") != Some("slave") {
        found.extend(rights::hints(address, dial).await);
        for tenant in tenants {
            found.extend(rights::tenant(&mut connection, tenant, dial).await);
        }
    }
    Ok(found)
}

/// What a server says of itself.
struct Told {
    info: String,
    /// What `CONFIG GET` says; `None`: we may not ask.
    config: Option<BTreeMap<String, String>>,
}

impl Told {
    async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, Fault> {
        let info = cmd("INFO").query_async(connection).await.map_err(|error| fault::of(&error))?;
        let mut config = BTreeMap::new();
        for name in ["appendfsync", "save", "min-replicas-to-write"] {
            let mut get = cmd("CONFIG");
            get.arg("GET").arg(name);
            let said: Result<Vec<String>, _> = get.query_async(connection).await;
            match said.as_deref() {
                Ok([name, value]) => {
                    config.insert(name.clone(), value.clone());
                }
                Ok(_) | Err(_) => return Ok(Self { info, config: None }),
            }
        }
        Ok(Self { info, config: Some(config) })
    }
}
