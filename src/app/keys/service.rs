//! The service's own keys, for whoever verifies what it signed: those of the sealed trail, present and past.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use crate::{
    app::{records as all, sealed},
    domain::{approval::evidence::ServiceKeys, chain::PublicKey, ids::TenantName},
    ports::{
        signer::Signer,
        store::{Store, StoreError},
    },
};

/// How long they are given out without a look. They change where a process starts with another key.
const KEPT: Duration = Duration::from_secs(10);

/// What signs decisions, and what signed them before.
pub struct SigningDesk {
    signer: Arc<dyn Signer>,
    /// Everybody may ask, so the store is asked once for all of them.
    kept: Mutex<BTreeMap<TenantName, (Instant, ServiceKeys)>>,
}

impl SigningDesk {
    /// Signs with this key.
    pub fn new(signer: Arc<dyn Signer>) -> Self {
        Self { signer, kept: Mutex::default() }
    }

    /// What signs.
    pub fn signer(&self) -> &dyn Signer {
        &*self.signer
    }

    /// The keys, the present one last.
    pub async fn keys(&self, store: &dyn Store, tenant: &TenantName) -> Result<ServiceKeys, StoreError> {
        let mut kept = self.kept.lock().await;
        if let Some((at, keys)) = kept.get(tenant)
            && at.elapsed() < KEPT
        {
            return Ok(keys.clone());
        }
        let keys = self.read(store, tenant).await?;
        kept.insert(tenant.clone(), (Instant::now(), keys.clone()));
        Ok(keys)
    }

    async fn read(&self, store: &dyn Store, tenant: &TenantName) -> Result<ServiceKeys, StoreError> {
        let snapshot = store.read(tenant, &[sealed::keys_key()]).await?;
        let known = all::find::<sealed::SigningKeys>(&snapshot, &sealed::keys_key())?;
        let mut keys: Vec<PublicKey> = known.map(|(known, _)| known.all().collect()).unwrap_or_default();
        let own = self.signer.public_key();
        if !keys.contains(&own) {
            keys.push(own);
        }
        Ok(ServiceKeys { keys: keys.iter().map(Into::into).collect() })
    }
}
