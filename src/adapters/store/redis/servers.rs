//! Which server process has a tenant's records.

use std::sync::Arc;

use super::{
    Dial, Topology,
    cluster::Cluster,
    fault::Fault,
    link::{Link, Mode},
    target::{Finder, Target},
};
use crate::domain::ids::TenantName;

/// The servers of a store.
pub(super) enum Servers {
    /// One for all, found this way or that.
    One(Arc<Target>),
    /// One for each slot.
    Many(Cluster),
}

impl Servers {
    pub(super) fn new(topology: Topology, dial: &Arc<Dial>) -> Self {
        match topology {
            Topology::Standalone(address) => Self::One(Target::start(Finder::At(address, Mode::Alone), dial)),
            Topology::Sentinel { sentinels, master } => {
                Self::One(Target::start(Finder::Sentinels(sentinels, master), dial))
            }
            Topology::Cluster(seeds) => Self::Many(Cluster::new(seeds, Arc::clone(dial))),
        }
    }

    /// A link to the master that has the tenant's records.
    pub(super) async fn link(&self, tenant: &TenantName) -> Result<Arc<Link>, Fault> {
        match self {
            Self::One(target) => target.link().await,
            Self::Many(cluster) => cluster.link(tenant).await,
        }
    }

    /// A server said that the tenant's slot is elsewhere.
    pub(super) async fn look_again(&self) {
        if let Self::Many(cluster) = self
            && let Err(fault) = cluster.look().await
        {
            tracing::warn!(why = %fault, "the cluster's map of slots can't be had");
        }
    }
}
