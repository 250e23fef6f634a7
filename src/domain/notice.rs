//! Notices: which event concerns whom, and what becomes of telling him.
//!
//! One table, by the events' stable types.

mod notification;
mod payload;
mod words;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    notification::{Channel, Mask, Notification, NotificationId, Opening, Recipient, State, Tried},
    payload::payload,
    words::{clean, mail},
};
use super::{
    audit::{Actor, Code, Event, Target},
    ids::{EventId, GroupId, UserId},
};

/// How somebody is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May decide about a request.
    Approver,
    /// Asked for it.
    Requester,
    /// It is on his behalf.
    Delegator,
    /// Acts for somebody.
    Agent,
    /// Holds, or held, a shared account.
    Holder,
}

/// A user, or all members of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// One user.
    User(UserId),
    /// Whoever is in it when he is told.
    Group(GroupId),
}

/// Somebody, and how he is concerned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Concern {
    /// How.
    pub role: Role,
    /// Who.
    pub who: Who,
}

/// A type of event of which people are told.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    /// The event's stable type.
    pub kind: &'static str,
    /// Whom it concerns.
    pub roles: &'static [Role],
    /// What happened, in our words, for people.
    pub words: &'static str,
}

const fn topic(code: Code, roles: &'static [Role], words: &'static str) -> Topic {
    Topic { kind: code.kind(), roles, words }
}

/// All of them. Nothing else is ever told.
pub const TOPICS: &[Topic] = &[
    topic(Code::HookGranted, &[Role::Delegator], "Somebody acted on your behalf"),
    topic(Code::ApprovalRequested, &[Role::Approver], "Your decision about a request is asked for"),
    topic(Code::ApprovalApproved, &[Role::Requester], "Your request was approved"),
    topic(Code::ApprovalDenied, &[Role::Requester], "Your request was denied"),
    topic(Code::ApprovalExpired, &[Role::Requester], "Your request was not decided in time"),
    topic(Code::ApprovalWithdrawn, &[Role::Requester], "Your request was withdrawn"),
    topic(Code::ApprovalRevoked, &[Role::Requester], "An approval of yours was revoked"),
    topic(Code::BreakGlass, &[Role::Approver, Role::Delegator], "Approvers were skipped in an emergency"),
    topic(Code::ReservationForceReleased, &[Role::Holder], "A reservation of yours was ended by an administrator"),
    topic(
        Code::OtpLocked,
        &[Role::Holder],
        "One-time codes of yours were refused too often, and are locked for a while",
    ),
    topic(Code::GrantAdded, &[Role::Delegator, Role::Agent], "A delegation of access was set up"),
    topic(Code::GrantRemoved, &[Role::Delegator, Role::Agent], "A delegation of access was ended"),
];

/// People and groups that one event names at most.
const MOST_CONCERNED: usize = 32;

/// The topic of that type.
pub fn topic_of(kind: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.kind == kind)
}

/// Whom the event concerns, each once; empty where nobody is to be told.
pub fn concerned(event: &Event) -> Vec<Concern> {
    let Some(topic) = topic_of(&event.kind) else { return Vec::new() };
    let mut found: Vec<Concern> = Vec::new();
    for role in topic.roles {
        for who in who_is(*role, event) {
            if found.len() < MOST_CONCERNED && !found.iter().any(|known| known.who == who) {
                found.push(Concern { role: *role, who });
            }
        }
    }
    found
}

fn who_is(role: Role, event: &Event) -> Vec<Who> {
    let user = |id: &str| UserId::parse(id).ok().map(Who::User);
    let targets = |kind: &str| event.target.iter().filter(|t| t.kind == kind).filter_map(|t| user(&t.id)).collect();
    let actor = || (event.actor.kind == "user").then(|| user(&event.actor.id)).flatten().into_iter().collect();
    let first = |named: Vec<Who>, or: &dyn Fn() -> Vec<Who>| if named.is_empty() { or() } else { named };
    match role {
        Role::Approver => ["approvers", "skipped"].iter().flat_map(|name| listed(event, name)).collect(),
        Role::Requester | Role::Agent => first(targets("agent"), &actor),
        Role::Delegator => {
            let named = event.on_behalf_of.as_ref().and_then(|who| user(&who.id));
            first(named.into_iter().collect(), &|| targets("delegator"))
        }
        // Such an event names the account first, then who holds it, if somebody does.
        Role::Holder => first(targets("holder"), &|| targets("user").into_iter().skip(1).collect()),
    }
}

/// Users and groups that a detail lists as `user:<id>` and `group:<id>`.
fn listed(event: &Event, detail: &str) -> Vec<Who> {
    let list = event.details.get(detail).and_then(|value| value.as_array());
    let who = |text: &str| match text.split_once(':')? {
        ("user", id) => UserId::parse(id).ok().map(Who::User),
        ("group", id) => GroupId::parse(id).ok().map(Who::Group),
        _ => None,
    };
    list.into_iter().flatten().filter_map(|item| who(item.as_str()?)).collect()
}

/// What a notification remembers of its event: public ids only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The event's id.
    pub event: EventId,
    /// Its number in the audit trail.
    pub seq: u64,
    /// Its stable code.
    pub code: String,
    /// Its stable type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How grave it is.
    pub severity: String,
    /// When it happened.
    pub time: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// On whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Actor>,
    /// Through which client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What it is about: an approval, a reservation, a delegation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Target>,
    /// Who asked for the approval that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<UserId>,
    /// Whom it concerns.
    pub concerns: Vec<Concern>,
}

impl Facts {
    /// What there is to tell of this event; `None` where nobody is told of its type.
    pub fn of(seq: u64, event: &Event) -> Option<Self> {
        topic_of(&event.kind)?;
        let subject = |t: &&Target| matches!(t.kind.as_str(), "approval" | "reservation" | "delegation");
        let subject = event.target.iter().find(subject).cloned();
        let requester = subject.as_ref().filter(|t| t.kind == "approval").map(|_| who_is(Role::Requester, event));
        let requester = requester.into_iter().flatten().find_map(|who| match who {
            Who::User(id) => Some(id),
            Who::Group(_) => None,
        });
        Some(Self {
            event: event.id.clone(),
            seq,
            code: event.code.clone(),
            kind: event.kind.clone(),
            severity: event.severity.clone(),
            time: event.time,
            actor: event.actor.clone(),
            on_behalf_of: event.on_behalf_of.clone(),
            client: event.client.app.clone(),
            subject,
            requester,
            concerns: concerned(event),
        })
    }

    /// Where people look it up, below `base`. A link shows; it never decides.
    pub fn link(&self, base: &str) -> String {
        let base = base.trim_end_matches('/');
        match &self.subject {
            Some(Target { kind, id }) if kind == "approval" => format!("{base}/approvals/{}", segment(id)),
            Some(Target { kind, id }) if kind == "reservation" => format!("{base}/reservations/{}", segment(id)),
            _ => format!("{base}/events/{}", segment(self.event.as_str())),
        }
    }
}

/// Our ids are made of these letters; whatever isn't is left out, so that no id bends a link.
fn segment(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect()
}

#[cfg(test)]
mod tests;
