//! The reader of the outbox: each event becomes the notifications of those whom it concerns.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::{Outlets, records as own};
use crate::{
    app::{
        Services,
        error::AppError,
        records::{self, decode_event},
        sealed::{self, Cursor, plain},
    },
    domain::{
        audit::{Actor, Code, Event},
        ids::{GroupId, TenantName, UserId},
        notice::{Channel, Facts, Notification, Opening, Recipient, Who},
    },
    ports::store::{Change, Committed, Expect, Fence, Put, Seq, StoreError},
};

/// Events read in one pass.
const BATCH: usize = 100;
/// People who are told of one event.
const MOST_TOLD: usize = 50;
/// Records after which a commit is large enough.
const ENOUGH: usize = 64;
/// What is older than this when it is read is nobody's news any more: the service was off, or told nobody, for days.
const STALE: SignedDuration = SignedDuration::from_hours(72);
const LEASE: &str = "notifications";
const LEASE_TIME: SignedDuration = SignedDuration::from_secs(10);
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Made {
    /// Notifications that were made.
    pub notifications: usize,
    /// There may be more to do at once.
    pub more: bool,
}

/// What a commit of the reader consists of.
#[derive(Default)]
struct Draft {
    puts: Vec<Put>,
    events: Vec<Event>,
    /// Who is in the groups that were asked for in this pass.
    members: HashMap<GroupId, BTreeSet<UserId>>,
}

/// Makes sure that there is a cursor: whoever is told for the first time is told of what happens from now on. To be
/// called before the service serves.
pub async fn begin(services: &Services, tenant: &TenantName) -> Result<(), AppError> {
    let key = own::cursor_key();
    let snapshot = services.store.read(tenant, &[key, sealed::head_key()]).await?;
    if snapshot.get(&key).is_some() {
        return Ok(());
    }
    // What isn't sealed yet is of this moment, or nearly.
    let seq = sealed::head_of(tenant, &snapshot)?.seq;
    let change = Change {
        expect: vec![(key, Expect::Absent)],
        puts: vec![plain(key, &Cursor { seq })?],
        ..Change::new(services.change_id(), later(snapshot.now, PATIENCE))
    };
    // Overtaken: another process began.
    services.settle(tenant, change, key).await?;
    Ok(())
}

/// One pass over one tenant's events. `holder` names this process.
pub async fn pass(services: &Services, tenant: &TenantName, outlets: &Outlets, holder: &str) -> Result<Made, AppError> {
    let key = own::cursor_key();
    let snapshot = services.store.read(tenant, &[key, sealed::start_key()]).await?;
    let Some((cursor, record)) = records::find::<Cursor>(&snapshot, &key)? else {
        begin(services, tenant).await?;
        return Ok(Made { more: true, ..Made::default() });
    };
    let events = services.store.events(tenant, Seq(cursor.seq), BATCH).await?;
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(Made::default()) };
    if first.seq.0 > cursor.seq + 1 {
        let up_to = first.seq.0 - 1;
        tracing::error!(%tenant, up_to, "events were dropped before anybody was told of them");
    }
    let mut read_all = events.len() < BATCH;
    let (mut draft, mut seq) = (Draft::default(), last.seq);
    for stored in &events {
        match decode_event(stored) {
            Ok(event) => draft.take(services, tenant, outlets, (stored.seq, &event), snapshot.now).await?,
            // One event that can't be read must not keep everybody from being told of the others.
            Err(error) => tracing::error!(%tenant, %error, "nobody can be told of an event"),
        }
        if draft.puts.len() >= ENOUGH {
            (seq, read_all) = (stored.seq, read_all && stored.seq == last.seq);
            break;
        }
    }
    let Some(lease) = services.store.lease(tenant, LEASE, holder, LEASE_TIME).await? else {
        return Ok(Made::default());
    };
    let notifications = draft.puts.len();
    draft.puts.push(plain(key, &Cursor { seq: seq.0 })?);
    let change = Change {
        expect: vec![(key, Expect::Version(record.version))],
        fence: Some(Fence { lease: LEASE.to_owned(), token: lease.token }),
        puts: draft.puts,
        events: records::encode_events(&draft.events)?,
        ..Change::new(services.change_id(), later(snapshot.now, PATIENCE))
    };
    match services.store.commit(tenant, change).await? {
        Committed::Done(_) => Ok(Made { notifications, more: !read_all }),
        // Somebody else was faster.
        Committed::Conflict(_) | Committed::Fenced | Committed::Late => Ok(Made::default()),
    }
}

impl Draft {
    async fn take(
        &mut self,
        services: &Services,
        tenant: &TenantName,
        outlets: &Outlets,
        (seq, event): (Seq, &Event),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(facts) = Facts::of(seq.0, event) else { return Ok(()) };
        let taken: Vec<&Channel> =
            outlets.all.iter().filter(|outlet| outlet.takes(&facts.kind)).map(|outlet| &outlet.channel).collect();
        if taken.is_empty() {
            return Ok(());
        }
        if now.duration_since(facts.time) > STALE {
            tracing::warn!(%tenant, event = facts.event.as_str(), "too old to tell anybody of it");
            return Ok(());
        }
        let by_mail = taken.iter().any(|channel| matches!(channel, Channel::Email));
        let people = if by_mail { self.people(services, tenant, &facts).await } else { Vec::new() };
        let made = notifications(&facts, &taken, &people);
        if made.is_empty() {
            let nobody = Opening { facts, channel: Channel::Nobody, recipient: None, alone_with: None };
            let nobody = Notification::open(nobody, now);
            self.events.push(none_reachable(services, tenant, &nobody, now));
            self.puts.push(own::put(&nobody)?);
        }
        for opening in made {
            self.puts.push(own::put(&Notification::open(opening, now))?);
        }
        Ok(())
    }
}

impl Draft {
    /// Those concerned, each once, as what he is first: people who are named, then members of groups. Nobody decides
    /// about his own request, so he isn't asked to as a member.
    async fn people(&mut self, services: &Services, tenant: &TenantName, facts: &Facts) -> Vec<Recipient> {
        let mut people: Vec<Recipient> = Vec::new();
        let mut add = |role, user: &UserId| {
            let new = people.len() < MOST_TOLD && !people.iter().any(|person| person.user == *user);
            if new {
                people.push(Recipient { role, user: user.clone() });
            }
        };
        for concern in &facts.concerns {
            if let Who::User(user) = &concern.who {
                add(concern.role, user);
            }
        }
        for concern in &facts.concerns {
            let Who::Group(group) = &concern.who else { continue };
            let members = self.members(services, tenant, group).await.iter();
            members.filter(|user| facts.requester.as_ref() != Some(*user)).for_each(|user| add(concern.role, user));
        }
        people
    }

    /// Who is in the group, as far as that can be found out; else the others concerned are told, and the log.
    async fn members(&mut self, services: &Services, tenant: &TenantName, group: &GroupId) -> &BTreeSet<UserId> {
        if !self.members.contains_key(group) {
            let found = match services.tenant(tenant) {
                Some(tenant) => tenant.directory.members_of(group, MOST_TOLD).await,
                None => Ok(None),
            };
            let found = match found {
                Ok(Some(found)) => {
                    if found.more {
                        tracing::warn!(%tenant, %group, most = MOST_TOLD, "a group has more members than are told");
                    }
                    found.ids
                }
                Ok(None) => {
                    tracing::warn!(%tenant, %group, "a group whose members are to be told isn't there");
                    BTreeSet::new()
                }
                Err(error) => {
                    tracing::warn!(%tenant, %group, %error, "who is in a group isn't known, so its members aren't told");
                    BTreeSet::new()
                }
            };
            self.members.insert(group.clone(), found);
        }
        &self.members[group]
    }
}

/// One for each webhook, and one for each person by e-mail.
fn notifications(facts: &Facts, channels: &[&Channel], people: &[Recipient]) -> Vec<Opening> {
    let by_webhook = channels.iter().any(|channel| matches!(channel, Channel::Webhook(_)));
    let mut made = Vec::new();
    for channel in channels {
        let open = |recipient, alone_with| Opening {
            facts: facts.clone(),
            channel: (*channel).clone(),
            recipient,
            alone_with,
        };
        match channel {
            Channel::Webhook(_) => made.push(open(None, None)),
            Channel::Email => made.extend(people.iter().map(|person| {
                let others = people.iter().filter(|other| other.user != person.user);
                let others: Vec<UserId> = others.map(|other| other.user.clone()).collect();
                open(Some(person.clone()), (!by_webhook).then_some(others))
            })),
            Channel::Nobody => {}
        }
    }
    made
}

/// The event of what nobody could be told of.
pub(super) fn none_reachable(
    services: &Services,
    tenant: &TenantName,
    notification: &Notification,
    now: Timestamp,
) -> Event {
    let facts = &notification.facts;
    let event = services
        .event(tenant, Code::NoneReachable, Actor::service("notifier"), now)
        .failed_with("none-reachable")
        .on("notification", &notification.id())
        .detail("event", facts.event.as_str())
        .detail("type", facts.kind.as_str());
    match &facts.subject {
        Some(subject) => event.on(&subject.kind, &subject.id),
        None => event,
    }
}

pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(at)
}
