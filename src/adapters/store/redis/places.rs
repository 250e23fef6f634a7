//! Where tenants lie, asked once: for commands that look at the servers and end.

use super::{
    Address, Dial, Topology,
    cluster::{self, Slots},
    fault::Fault,
    link::Mode,
    target::ask_sentinels,
};
use crate::domain::ids::TenantName;

/// The servers as they stand at this moment.
pub(super) enum Places {
    /// One for all tenants.
    One(Address),
    /// Each tenant has its slot.
    Slots(Slots),
}

impl Places {
    pub(super) async fn find(topology: &Topology, dial: &Dial) -> Result<Self, Fault> {
        match topology {
            Topology::Standalone(address) => Ok(Self::One(address.clone())),
            Topology::Sentinel { sentinels, master } => ask_sentinels(sentinels, master, dial).await.map(Self::One),
            Topology::Cluster(seeds) => cluster::ask_any(seeds, dial).await.map(Self::Slots),
        }
    }

    /// The server that has the tenant.
    pub(super) fn of(&self, tenant: &TenantName) -> Result<Address, Fault> {
        match self {
            Self::One(address) => Ok(address.clone()),
            Self::Slots(slots) => cluster::master_of(slots, tenant),
        }
    }

    /// Every server that may have a tenant.
    pub(super) fn all(&self) -> Vec<Address> {
        match self {
            Self::One(address) => vec![address.clone()],
            Self::Slots(slots) => cluster::masters(slots),
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match self {
            Self::One(_) => Mode::Alone,
            Self::Slots(_) => Mode::Node,
        }
    }
}
