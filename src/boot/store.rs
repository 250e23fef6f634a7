//! The store that the configuration names.

use std::{path::PathBuf, sync::Arc};

use super::BootError;
use crate::{
    adapters::store::{
        embedded::{self, EmbeddedStore, Place},
        redis::{Address, Dial, Login, RedisStore, Topology, Trust, TrustError},
    },
    config::{RedisAddress, RedisSettings, RedisTopology, StoreKind},
    ports::{clock::Clock, entropy::Entropy, store::Store},
};

/// An open store, and what only its kind can do.
#[derive(Clone)]
pub enum Kept {
    /// On this machine; the folder, if it lies in one.
    Embedded(Arc<EmbeddedStore>, Option<PathBuf>),
    /// Shared by many processes.
    Redis(Arc<RedisStore>),
}

impl Kept {
    /// As the use cases see it.
    pub fn port(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store, _) => Arc::clone(store) as Arc<dyn Store>,
            Self::Redis(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// The embedded one, if it is that.
    pub fn embedded(&self) -> Option<&Arc<EmbeddedStore>> {
        match self {
            Self::Embedded(store, _) => Some(store),
            Self::Redis(_) => None,
        }
    }

    /// The folder in which it lies.
    pub fn folder(&self) -> Option<&PathBuf> {
        match self {
            Self::Embedded(_, folder) => folder.as_ref(),
            Self::Redis(_) => None,
        }
    }

    /// Closes it. Blocks until what was being written is written.
    pub fn close(&self) {
        if let Self::Embedded(store, _) = self {
            store.close();
        }
    }
}

/// Opens it. An embedded one may be repaired first; Redis is connected to in the background.
pub(super) fn open(
    kind: &StoreKind,
    ca_file: Option<&std::path::Path>,
    clock: Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Kept, BootError> {
    let (place, data) = match kind {
        StoreKind::Memory => (Place::Memory, None),
        StoreKind::Embedded(folder) => (Place::Folder(folder.clone()), Some(folder.clone())),
        StoreKind::Redis(settings) => return Ok(Kept::Redis(Arc::new(redis(settings, ca_file, entropy)?))),
    };
    let store = EmbeddedStore::open(&embedded::Settings::new(place), clock, &**entropy)?;
    Ok(Kept::Embedded(Arc::new(store), data))
}

/// A store on Redis, and the connections that it begins to make.
pub fn redis(
    settings: &RedisSettings,
    ca_file: Option<&std::path::Path>,
    entropy: &Arc<dyn Entropy>,
) -> Result<RedisStore, TrustError> {
    let (topology, dial) = servers(settings, ca_file, entropy)?;
    Ok(RedisStore::new(topology, dial, None))
}

/// Where the servers of these settings are, and how they are talked to.
pub fn servers(
    settings: &RedisSettings,
    ca_file: Option<&std::path::Path>,
    entropy: &Arc<dyn Entropy>,
) -> Result<(Topology, Dial), TrustError> {
    let address = |at: &RedisAddress| Address { host: at.host.clone(), port: at.port };
    let topology = match &settings.topology {
        RedisTopology::Standalone(at) => Topology::Standalone(address(at)),
        RedisTopology::Sentinel { sentinels, master } => {
            Topology::Sentinel { sentinels: sentinels.iter().map(address).collect(), master: master.clone() }
        }
        RedisTopology::Cluster(nodes) => Topology::Cluster(nodes.iter().map(address).collect()),
    };
    let dial = Dial {
        tls: settings.tls.then(|| Trust::load(ca_file)).transpose()?,
        database: settings.database,
        login: Login { username: settings.username.clone(), password: settings.password.clone() },
        sentinel_login: Login {
            username: settings.sentinel_username.clone(),
            password: settings.sentinel_password.clone(),
        },
        client_name: settings.client_name.clone(),
        connections: settings.connections,
        connect_timeout: settings.connect_timeout,
        response_timeout: settings.response_timeout,
        runtime: tokio::runtime::Handle::current(),
        entropy: Arc::clone(entropy),
    };
    Ok((topology, dial))
}
