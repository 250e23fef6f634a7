//! The senders: one for each channel, so that none waits for another. What is due is tried, then the try is recorded.

use futures_util::future::join_all;
use jiff::SignedDuration;

use super::{
    Outlet, Outlets, Way,
    make::{later, none_reachable},
    records as own,
};
use crate::{
    app::{
        Services, Tenant,
        error::AppError,
        past::{Look, Place, Seen, Unread},
        records,
    },
    domain::{
        audit::{Actor, Code, Event},
        ids::{UserId, UserRef},
        notice::{self, Mask, Notification, NotificationId, State},
    },
    ports::{
        entropy,
        notifier::{Failure, Mail, Post},
        store::{Change, Committed, Expect, Fence, Key, Page, Record, Snapshot, StoreError},
    },
};

/// Tries under way at one receiver.
const TOGETHER: usize = 8;
/// Rows of one read of what is due.
const ROWS: usize = 64;
/// Reads for these: some may be of a form that this version can't read.
const READS: usize = 16;
/// Longer than any try with what goes before and after it.
const LEASE_TIME: SignedDuration = SignedDuration::from_secs(60);
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Taken.
    Sent,
    /// It will be tried again.
    Failed,
    /// Given up.
    Dead,
    /// There is no address.
    Unreachable,
    /// Somebody else recorded something before this was.
    Overtaken,
}

impl Outcome {
    /// As metrics have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::Unreachable => "unreachable",
            Self::Overtaken => "overtaken",
        }
    }
}

/// What a pass did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pass {
    /// What became of each that was due.
    pub outcomes: Vec<Outcome>,
    /// There may be more to do at once.
    pub more: bool,
    /// What is due and can't be read.
    pub unread: Unread,
}

/// How a try ended, before it is recorded.
enum Ended {
    Sent(Option<Mask>),
    Unreachable(&'static str),
    Failed(Failure),
    /// Not tried: the receiver wants nothing any more.
    Disabled,
}

/// A notification as it was found.
struct Found {
    key: Key,
    version: u64,
    notification: Notification,
}

/// A pass at work.
struct Sender<'a> {
    services: &'a Services,
    tenant: &'a Tenant,
    base_url: &'a str,
    outlet: &'a Outlet,
    fence: Fence,
}

/// One pass over what is due through one outlet. `holder` names this process.
pub async fn pass(
    services: &Services,
    tenant: &Tenant,
    outlets: &Outlets,
    outlet: &Outlet,
    holder: &str,
) -> Result<Pass, AppError> {
    let from = outlet.place();
    let seen = due(services, tenant, outlet, from).await?;
    if seen.items.is_empty() {
        return Ok(Pass { unread: seen.unread, ..Pass::default() });
    }
    let lease = format!("notify {}", outlet.channel);
    let Some(taken) = services.store.lease(&tenant.name, &lease, holder, LEASE_TIME).await? else {
        return Ok(Pass::default());
    };
    // Whoever had the lease before may have sent what was due a moment ago.
    let mut seen = due(services, tenant, outlet, from).await?;
    let more = seen.more || seen.items.len() > TOGETHER;
    seen.items.truncate(TOGETHER);
    let found = seen.items;
    let fence = Fence { lease, token: taken.token };
    let sender = Sender { services, tenant, base_url: &outlets.base_url, outlet, fence };
    let outcomes = join_all(found.into_iter().map(|found| sender.handle(found))).await;
    let outcomes = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Pass { more: more && !outcomes.is_empty(), outcomes, unread: seen.unread })
}

/// How many wait to be sent through it, counted up to a bound.
pub async fn waiting(services: &Services, tenant: &Tenant, outlet: &Outlet) -> Result<u64, AppError> {
    let page = Page { up_to: u64::MAX, after: None, limit: 1000 };
    Ok(services.store.list(&tenant.name, own::due(&outlet.channel), page).await?.rows.len() as u64)
}

/// What is due. One that can't be read keeps neither those behind it from being sent, nor those at the other channels;
/// it stays and is counted as waiting.
async fn due(services: &Services, tenant: &Tenant, outlet: &Outlet, from: Place) -> Result<Seen<Found>, AppError> {
    let now = services.store.read(&tenant.name, &[]).await?.now;
    let index = own::due(&outlet.channel);
    let look = Look { index, up_to: records::millis(now), rows: ROWS, enough: TOGETHER, reads: READS };
    let found = |key, record: &Record, now| {
        let notification = records::decode::<Notification>(record)?;
        let found = Found { key, version: record.version, notification };
        Ok::<_, StoreError>(Some(found).filter(|it| it.notification.is_due(now)))
    };
    let mut place = from;
    let seen = look.past(services, &tenant.name, &mut place, found).await?;
    outlet.go_on_at(place);
    Ok(seen)
}

impl Sender<'_> {
    async fn handle(&self, found: Found) -> Result<Outcome, AppError> {
        let ended = self.try_it(&found.notification).await;
        if let Ended::Failed(failure) = &ended {
            let (tenant, channel, id) = (&self.tenant.name, &self.outlet.channel, found.notification.id());
            tracing::info!(%tenant, %channel, %id, ?failure, "a notification was not taken");
        }
        self.record(found, ended).await
    }

    async fn try_it(&self, notification: &Notification) -> Ended {
        if self.outlet.is_gone() {
            return Ended::Disabled;
        }
        let (id, at) = (notification.id().to_string(), self.services.clock.now());
        let name = &self.tenant.name;
        match &self.outlet.way {
            Way::Webhook(webhook) => {
                let body = notice::payload(name, notification, self.base_url);
                let post = Post { id: &id, at, body: &body };
                webhook.post(post).await.map_or_else(Ended::Failed, |()| Ended::Sent(None))
            }
            Way::Email { mailer, attribute } => {
                let to = match self.address(notification, attribute).await {
                    Ok(address) => address,
                    Err(ended) => return ended,
                };
                let (subject, text) = notice::mail(name, notification, self.base_url);
                let mail = Mail { id: &id, at, to: &to, subject: &subject, text: &text };
                mailer.mail(mail).await.map_or_else(Ended::Failed, |()| Ended::Sent(Some(Mask::of(&to))))
            }
        }
    }

    /// Asked at each try: people get new addresses, and leave.
    async fn address(&self, notification: &Notification, attribute: &str) -> Result<String, Ended> {
        let Some(recipient) = &notification.recipient else { return Err(Ended::Unreachable("nobody")) };
        let user = match self.tenant.directory.user(&UserRef::Id(recipient.user.clone())).await {
            Ok(user) => user.filter(|user| user.id == recipient.user),
            Err(_) => return Err(Ended::Failed(Failure::passing("directory-unavailable"))),
        };
        let Some(user) = user else { return Err(Ended::Unreachable("no-such-user")) };
        if !user.is_active() {
            return Err(Ended::Unreachable("inactive"));
        }
        user.text(attribute).ok_or(Ended::Unreachable("no-address"))
    }

    async fn record(&self, found: Found, ended: Ended) -> Result<Outcome, AppError> {
        let first_gone = matches!(ended, Ended::Failed(Failure::Gone)) && self.outlet.is_gone_now();
        let mut others = match (&ended, &found.notification.alone_with) {
            (Ended::Unreachable(_), Some(others)) => self.keys_of(&found.notification, others),
            _ => Vec::new(),
        };
        let mut all_seen = true;
        // Those that are tried at the same time may each be in the way once.
        for _ in 0..TOGETHER + 2 {
            let snapshot = match self.services.store.read(&self.tenant.name, &others).await {
                // Whether one of them was told can't be seen: so it isn't said that nobody was.
                Err(StoreError::Unreadable(_)) if !others.is_empty() => {
                    (others, all_seen) = (Vec::new(), false);
                    self.services.store.read(&self.tenant.name, &[]).await?
                }
                read => read?,
            };
            let (next, outcome) = self.next(found.notification.clone(), &ended, &snapshot);
            let mut events = Vec::new();
            if outcome == Outcome::Dead {
                events.push(self.told(Code::NotificationDead, &next, &snapshot));
            }
            if first_gone {
                events.push(self.told(Code::WebhookDisabled, &next, &snapshot));
            }
            if all_seen && Self::leaves_nobody(&next, &others, &snapshot) {
                events.push(none_reachable(self.services, &self.tenant.name, &next, snapshot.now));
            }
            let mut expect = vec![(found.key, Expect::Version(found.version))];
            expect.extend(others.iter().map(|key| (*key, snapshot.as_seen(key))));
            let change = Change {
                expect,
                fence: Some(self.fence.clone()),
                puts: vec![own::put(&next)?],
                events: records::encode_events(&events)?,
                ..Change::new(self.services.change_id(), later(snapshot.now, PATIENCE))
            };
            match self.services.commit_and_settle(&self.tenant.name, change, found.key).await? {
                Committed::Done(_) => return Ok(outcome),
                // One of the others; it is looked at again.
                Committed::Conflict(key) if key != found.key => {}
                // It comes again, from whoever holds the lease now.
                Committed::Conflict(_) | Committed::Fenced | Committed::Late => return Ok(Outcome::Overtaken),
            }
        }
        Ok(Outcome::Overtaken)
    }

    fn next(&self, notification: Notification, ended: &Ended, snapshot: &Snapshot) -> (Notification, Outcome) {
        let now = snapshot.now;
        match ended {
            Ended::Sent(address) => (notification.sent(address.clone(), now), Outcome::Sent),
            Ended::Unreachable(why) => (notification.unreachable(why, now), Outcome::Unreachable),
            Ended::Disabled => (notification.dead("webhook-disabled", now), Outcome::Dead),
            Ended::Failed(Failure::Gone) => (notification.dead("gone", now), Outcome::Dead),
            Ended::Failed(Failure::Lasting { why }) => (notification.dead(why, now), Outcome::Dead),
            Ended::Failed(Failure::Passing { why, wait }) => {
                let [jitter] = entropy::bytes(&*self.services.entropy);
                let next = notification.failed(why, *wait, jitter, now);
                let dead = matches!(next.state, State::Dead { .. });
                (next, if dead { Outcome::Dead } else { Outcome::Failed })
            }
        }
    }

    fn keys_of(&self, notification: &Notification, users: &[UserId]) -> Vec<Key> {
        let id = |user| NotificationId::of(&notification.facts, &self.outlet.channel, Some(user)).0;
        users.iter().map(|user| own::notification_key(id(user))).collect()
    }

    /// True if it was the last of those who could have been told.
    fn leaves_nobody(next: &Notification, others: &[Key], snapshot: &Snapshot) -> bool {
        let is_lost = |key: &Key| {
            let other = records::find::<Notification>(snapshot, key).ok().flatten();
            other.is_some_and(|(other, _)| matches!(other.state, State::Unreachable { .. }))
        };
        matches!(next.state, State::Unreachable { .. }) && next.alone_with.is_some() && others.iter().all(is_lost)
    }

    fn told(&self, code: Code, notification: &Notification, snapshot: &Snapshot) -> Event {
        let why = notification.last.as_ref().and_then(|last| last.why.as_deref()).unwrap_or_default();
        let event = self
            .services
            .event(&self.tenant.name, code, Actor::service("notifier"), snapshot.now)
            .failed_with(why)
            .on("notification", &notification.id())
            .detail("channel", self.outlet.channel.to_string())
            .detail("event", notification.facts.event.as_str())
            .detail("type", notification.facts.kind.as_str())
            .detail("tries", notification.failures);
        match &notification.recipient {
            Some(recipient) => event.detail("recipient", recipient.user.as_str()),
            None => event,
        }
    }
}
