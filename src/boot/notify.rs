//! What tells people: a tenant's ways, and the work that goes on for them.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use secrecy::ExposeSecret;

use crate::{
    adapters::notify::{
        email::{self, Security, Smtp},
        guard::SystemLookup,
        webhook::{self, SignedWebhook},
    },
    app::{
        Services, Tenant,
        notify::{Outlet, Outlets, Way, make, send},
    },
    config::{EmailSecurity, EmailSettings, NotifySettings, WebhookSettings},
    domain::{ids::TenantName, notice::Channel},
    metrics::Metrics,
};

/// Between two looks for events to tell of, or for notifications that are due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two counts of what waits.
const COUNT_EVERY: u32 = 10;

/// The tenant's ways; asks nobody yet.
pub(super) fn outlets(settings: &NotifySettings, ca_file: Option<&Path>) -> Result<Outlets, String> {
    let mut all = Vec::new();
    for webhook in &settings.webhooks {
        all.push(by_webhook(webhook, ca_file)?);
    }
    if let Some(email) = &settings.email {
        all.push(by_email(email, ca_file)?);
    }
    Ok(Outlets { all, base_url: settings.base_url.to_string() })
}

fn by_webhook(settings: &WebhookSettings, ca_file: Option<&Path>) -> Result<Outlet, String> {
    let made = webhook::Settings {
        url: settings.url.clone(),
        keys: settings.keys.iter().map(ExposeSecret::expose_secret).collect(),
        allow_private: settings.allow_private,
        ca_file,
    };
    let webhook = SignedWebhook::new(&made, Arc::new(SystemLookup))
        .map_err(|error| format!("webhook `{}`: {error}", settings.name))?;
    let channel = Channel::Webhook(settings.name.clone());
    Ok(Outlet::new(channel, Way::Webhook(Arc::new(webhook)), settings.events.clone()))
}

fn by_email(settings: &EmailSettings, ca_file: Option<&Path>) -> Result<Outlet, String> {
    let security = match settings.security {
        EmailSecurity::Implicit => Security::Implicit,
        EmailSecurity::StartTls => Security::StartTls,
        EmailSecurity::None => Security::None,
    };
    let credentials = settings.credentials.as_ref();
    let smtp = Smtp::new(email::Settings {
        host: &settings.host,
        port: settings.port,
        security,
        credentials: credentials.map(|(user, password)| (user.clone(), password.expose_secret().to_owned())),
        from: settings.from.clone(),
        ca_file,
    });
    let mailer = Arc::new(smtp.map_err(|error| format!("e-mail: {error}"))?);
    let way = Way::Email { mailer, attribute: settings.attribute.clone() };
    Ok(Outlet::new(Channel::Email, way, settings.events.clone()))
}

/// What waits at each way, so that the sum for a sort of channel can be shown.
#[derive(Default)]
pub(super) struct Backlog(BTreeMap<&'static str, Vec<AtomicU64>>);

impl Backlog {
    /// Room for these ways.
    pub(super) fn of(outlets: &BTreeMap<TenantName, Arc<Outlets>>) -> Self {
        let mut rooms: BTreeMap<_, Vec<AtomicU64>> = BTreeMap::new();
        for outlet in outlets.values().flat_map(|outlets| &outlets.all) {
            rooms.entry(outlet.channel.sort()).or_default().push(AtomicU64::new(0));
        }
        Self(rooms)
    }

    fn put(&self, metrics: &Metrics, sort: &'static str, room: usize, count: u64) {
        let Some(rooms) = self.0.get(sort) else { return };
        if let Some(room) = rooms.get(room) {
            room.store(count, Ordering::Relaxed);
        }
        metrics.notifications_waiting(sort, rooms.iter().map(|room| room.load(Ordering::Relaxed)).sum());
    }
}

/// Makes notifications of events, for one tenant.
pub(super) async fn make_all(services: Arc<Services>, tenant: TenantName, outlets: Arc<Outlets>, holder: String) {
    let mut ticks = ticks();
    loop {
        ticks.tick().await;
        let result = loop {
            match make::pass(&services, &tenant, &outlets, &holder).await {
                Ok(made) if made.more => {}
                other => break other,
            }
        };
        if let Err(error) = result {
            tracing::warn!(%tenant, %error, "notifications could not be made");
        }
    }
}

/// What one sender works with.
pub(super) struct Sending {
    pub(super) services: Arc<Services>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tenant: Arc<Tenant>,
    pub(super) outlets: Arc<Outlets>,
    /// Which of them.
    pub(super) outlet: usize,
    pub(super) backlog: Arc<Backlog>,
    /// Its place there.
    pub(super) room: usize,
    pub(super) holder: String,
}

impl Sending {
    /// Sends what is due through one way.
    pub(super) async fn run(self) {
        let Some(outlet) = self.outlets.all.get(self.outlet) else { return };
        let (mut ticks, mut looks, mut unread) = (ticks(), 0_u32, 0);
        loop {
            ticks.tick().await;
            self.send_all(outlet, &mut unread).await;
            if looks.is_multiple_of(COUNT_EVERY) {
                self.count(outlet).await;
            }
            looks = looks.wrapping_add(1);
        }
    }

    /// `unread`: how many could not be read at the last look. It is said when there are more.
    async fn send_all(&self, outlet: &Outlet, unread: &mut usize) {
        let (tenant, sort) = (&self.tenant, outlet.channel.sort());
        loop {
            let pass = match send::pass(&self.services, tenant, &self.outlets, outlet, &self.holder).await {
                Ok(pass) => pass,
                Err(error) => {
                    tracing::warn!(tenant = %tenant.name, channel = %outlet.channel, %error, "notifications could not be sent");
                    return;
                }
            };
            for outcome in &pass.outcomes {
                self.metrics.notification(sort, outcome.code());
            }
            if pass.unread.count > *unread {
                let (records, first) = (pass.unread.count, pass.unread.first.as_deref().unwrap_or_default());
                tracing::error!(tenant = %tenant.name, channel = %outlet.channel, records, first, "there are notifications that this version can't read: they aren't sent");
            }
            *unread = pass.unread.count;
            if !pass.more {
                return;
            }
        }
    }

    async fn count(&self, outlet: &Outlet) {
        if let Ok(count) = send::waiting(&self.services, &self.tenant, outlet).await {
            self.backlog.put(&self.metrics, outlet.channel.sort(), self.room, count);
        }
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}
