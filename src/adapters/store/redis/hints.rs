//! Hints of commits, heard on the tenants' channels. Whenever listening begins anew everybody is hinted at, because
//! something may have been missed.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use futures_util::StreamExt as _;
use redis::{RedisError, aio::PubSub};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{Address, Dial, fault, keys::PREFIX, link::Link, servers::Servers, stream};
use crate::domain::ids::TenantName;

/// After a connection that listened broke.
const PAUSE: Duration = Duration::from_secs(1);

type Heard = Arc<DashMap<TenantName, watch::Sender<()>>>;

/// Who wants hints, and the task that hears them: from the first wish on.
pub(super) struct Hints {
    heard: Heard,
    listener: std::sync::OnceLock<AbortHandle>,
}

impl Hints {
    pub(super) fn new() -> Self {
        Self { heard: Arc::default(), listener: std::sync::OnceLock::new() }
    }

    pub(super) fn subscribe(
        &self,
        tenant: &TenantName,
        servers: &Arc<Servers>,
        dial: &Arc<Dial>,
    ) -> watch::Receiver<()> {
        let receiver = self.heard.entry(tenant.clone()).or_insert_with(|| watch::Sender::new(())).subscribe();
        self.listener.get_or_init(|| {
            let work = listen(Arc::clone(&self.heard), tenant.clone(), Arc::clone(servers), Arc::clone(dial));
            dial.runtime.spawn(work).abort_handle()
        });
        receiver
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get() {
            listener.abort();
        }
    }
}

/// In a cluster every node hears what is published on any, so one connection is enough.
async fn listen(heard: Heard, tenant: TenantName, servers: Arc<Servers>, dial: Arc<Dial>) {
    loop {
        if let Ok(link) = servers.link(&tenant).await
            && let Err(error) = hear(&heard, &link, &dial).await
        {
            tracing::debug!(server = %link.address, error = fault::explain(&error), "no hints of commits for a moment");
        }
        sleep(PAUSE).await;
    }
}

/// A connection that hears all commits.
pub(super) async fn open(address: &Address, dial: &Dial) -> Result<PubSub, RedisError> {
    let stream = stream::open(address, dial.tls.as_ref(), dial.connect_timeout).await?;
    let login = dial.login();
    let greeting = async {
        let mut channel = PubSub::new(&login, stream).await?;
        channel.psubscribe(format!("{PREFIX}*:c")).await?;
        Ok::<_, RedisError>(channel)
    };
    let timed_out = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    timeout(dial.connect_timeout, greeting).await.map_err(timed_out)?
}

async fn hear(heard: &Heard, link: &Link, dial: &Dial) -> Result<(), RedisError> {
    let channel = open(&link.address, dial).await?;
    for tenant in heard.iter() {
        tenant.send_replace(());
    }
    let mut messages = channel.into_on_message();
    while let Some(message) = messages.next().await {
        let name = message.get_channel_name();
        let tenant = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('{')?.strip_suffix("}:c"));
        if let Some(sender) = tenant.and_then(|name| TenantName::parse(name).ok()).and_then(|name| heard.get(&name)) {
            sender.send_replace(());
        }
    }
    Ok(())
}
