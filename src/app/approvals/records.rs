//! How approvals and their requesters' rosters are stored and listed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    app::records::{KEEP, droppable, encode, millis},
    domain::{
        approval::{
            Approval, ApprovalId, State,
            template::{self, Approver, Template},
        },
        hex::hex,
        ids::{ApplicationUri, ClientId, RecordId, UserId},
    },
    ports::store::{Index, IndexRow, Key, Kind, Put, StoreError},
};

const APPROVAL: Kind = Kind(6);
const ROSTER: Kind = Kind(7);

const LIST_REQUESTER: u8 = 5;
const LIST_DELEGATOR: u8 = 6;
const LIST_APPROVER: u8 = 7;
const LIST_ALL: u8 = 8;
const LIST_DUE: u8 = 9;

/// The most bytes of an approval: a delegation carries a copy of it.
pub const MOST_BYTES: usize = 40 * 1024;

/// What a signed vote without a comment takes, the service's signature included.
const SIGNED_VOTE_BYTES: usize = 2048;
/// The same without his signature.
const VOTE_BYTES: usize = 640;
/// What the service's signature takes of that.
const COUNTERSIGNATURE_BYTES: usize = 512;

/// True if the record has room for every vote that is needed yet, and, if `unsealed`, for the service's signature under
/// the last one: comments must not keep others from deciding.
pub fn has_room(approval: &Approval, unsealed: bool) -> bool {
    let Ok(body) = encode(approval) else { return false };
    let vote = match approval.template.kind {
        template::Kind::SignAndApprove => SIGNED_VOTE_BYTES,
        template::Kind::Approve => VOTE_BYTES,
    };
    let wanted = usize::from(approval.template.quorum).saturating_sub(approval.votes.len());
    let seal = if unsealed { COUNTERSIGNATURE_BYTES } else { 0 };
    body.len() + seal + wanted * vote <= MOST_BYTES
}

/// Key of an approval.
pub fn key(id: ApprovalId) -> Key {
    Key { kind: APPROVAL, id: id.record() }
}

/// Key of a requester's roster.
pub fn roster_key(requester: &UserId) -> Key {
    Key { kind: ROSTER, id: RecordId::natural(&["approvals", requester.as_str()]) }
}

fn of(list: u8, owner: &str) -> Index {
    Index { list, owner: Sha256::digest(owner.as_bytes()).into() }
}

/// What a user asked for, newest first.
pub fn by_requester(user: &UserId) -> Index {
    of(LIST_REQUESTER, user.as_str())
}

/// What was asked for on a user's behalf, newest first.
pub fn by_delegator(user: &UserId) -> Index {
    of(LIST_DELEGATOR, user.as_str())
}

/// What waits for this principal's vote, newest first.
pub fn by_approver(principal: &Approver) -> Index {
    of(LIST_APPROVER, &principal.to_string())
}

/// All of the tenant's, newest first.
pub fn all() -> Index {
    Index { list: LIST_ALL, owner: [0; 32] }
}

/// Those that aren't over, by their next deadline.
pub fn due() -> Index {
    Index { list: LIST_DUE, owner: [0; 32] }
}

/// The record of an approval: two rows for its people, one for all, at most eight for its approvers, one for its end.
pub fn put(approval: &Approval) -> Result<Put, StoreError> {
    let newest_first = u64::MAX - millis(approval.created);
    let asked = &approval.asked;
    let mut lists = vec![by_requester(&asked.requester.id), by_delegator(&asked.delegator.id), all()];
    if approval.state == State::Pending {
        lists.extend(approval.template.approvers.iter().map(by_approver));
    }
    let mut indexes: Vec<_> = lists.into_iter().map(|index| IndexRow { index, sort: newest_first }).collect();
    let kept_until = approval.latest_end().saturating_add(KEEP).unwrap_or(Timestamp::MAX);
    indexes.push(match approval.deadline() {
        Some(deadline) => IndexRow { index: due(), sort: millis(deadline) },
        None => IndexRow { index: droppable(), sort: millis(kept_until) },
    });
    Ok(Put {
        key: key(approval.id),
        body: encode(approval)?,
        live_until: Some(approval.deadline().unwrap_or_else(|| approval.latest_end())),
        drop_at: Some(kept_until),
        indexes,
    })
}

/// A requester's open requests: never more than the cap, rewritten in the commit that adds one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Each with what it asks for.
    pub open: Vec<RosterEntry>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEntry {
    /// The approval.
    pub id: ApprovalId,
    /// What tells its request from others.
    pub asks: String,
    /// The first instant at which it can't be used any more, whoever does what.
    pub end: Timestamp,
}

/// Key of the roster of what an application asked for about a user.
pub fn roster_of_application(application: &ApplicationUri, user: &UserId) -> Key {
    Key { kind: ROSTER, id: RecordId::natural(&["approvals-of-application", application.as_str(), user.as_str()]) }
}

/// The record of a roster; it may be dropped once its last entry has ended.
pub fn put_roster(requester: &UserId, roster: &Roster, now: Timestamp) -> Result<Put, StoreError> {
    put_roster_at(roster_key(requester), roster, now)
}

/// The same under this key.
pub fn put_roster_at(key: Key, roster: &Roster, now: Timestamp) -> Result<Put, StoreError> {
    let end = roster.open.iter().map(|entry| entry.end).max().unwrap_or(now);
    let indexes = vec![IndexRow { index: droppable(), sort: millis(end) }];
    Ok(Put { key, body: encode(roster)?, live_until: None, drop_at: Some(end), indexes })
}

/// What makes two requests of one requester the same.
pub struct Asks<'a> {
    /// On whose behalf.
    pub delegator: &'a UserId,
    /// Through which client.
    pub client: &'a ClientId,
    /// With which scopes, in order.
    pub scopes: Vec<&'a str>,
    /// By which rule.
    pub rule: &'a str,
    /// What the rule demands.
    pub template: &'a Template,
    /// Why.
    pub reason: Option<&'a str>,
    /// Its ticket.
    pub ticket: Option<&'a str>,
}

impl Asks<'_> {
    /// Equal exactly for what asks for the same.
    pub fn fingerprint(&self) -> String {
        let template = self.template.digest().to_string();
        let flag = |text: Option<&str>| if text.is_some() { "1" } else { "0" };
        let mut parts = vec![self.delegator.as_str(), self.client.as_str(), self.rule, &template];
        parts.extend([flag(self.reason), self.reason.unwrap_or_default()]);
        parts.extend([flag(self.ticket), self.ticket.unwrap_or_default()]);
        parts.extend(&self.scopes);
        hex(&RecordId::natural(&parts).hash)
    }
}

/// What makes two requests of one application about one user the same.
pub struct OfApplication<'a> {
    /// What it is about.
    pub title: &'a str,
    /// Whom its token names.
    pub subject: Option<&'a str>,
    /// Its data, in canonical JSON.
    pub data: &'a str,
    /// What the application's registration demands.
    pub template: &'a Template,
    /// Why.
    pub reason: Option<&'a str>,
    /// Its ticket.
    pub ticket: Option<&'a str>,
}

impl OfApplication<'_> {
    /// Equal exactly for what asks for the same.
    pub fn fingerprint(&self) -> String {
        let template = self.template.digest().to_string();
        let mut parts = vec!["application", self.title, self.data, &template];
        for text in [self.subject, self.reason, self.ticket] {
            parts.extend([if text.is_some() { "1" } else { "0" }, text.unwrap_or_default()]);
        }
        hex(&RecordId::natural(&parts).hash)
    }
}
