//! Reviews: every emergency that skipped votes stays open until an administrator looked at it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Refused;
use crate::{
    app::{
        Services, Tenant,
        caller::Caller,
        error::AppError,
        grants::party_of,
        listing::{self, Cursor, Listed},
        locks,
        records::{KEEP, decode, droppable, encode, encode_events, find, lock_key, millis},
    },
    domain::{
        approval::{Approval, ApprovalId},
        audit::{Actor, Code},
        delegation::Party,
        ids::{RecordId, UserId},
        reason::Reason,
    },
    ports::store::{Change, Expect, Index, IndexRow, Key, Kind, Put, StoreError},
};

const REVIEW: Kind = Kind(16);

const LIST_REVIEWS: u8 = 13;

/// An emergency that is to be looked at afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The approval whose votes were skipped; the review goes by its id.
    pub approval: ApprovalId,
    /// Who skipped them.
    pub requester: Party,
    /// On whose behalf.
    pub delegator: Party,
    /// The rule that demanded the approval.
    pub rule: String,
    /// Why, in his words.
    pub reason: String,
    /// The request for the same that was denied before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<ApprovalId>,
    /// When.
    pub opened: Timestamp,
    /// Who closed it; `None`: nobody yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closing>,
}

/// The end of a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Who.
    pub by: Party,
    /// When.
    pub at: Timestamp,
    /// What he found.
    pub comment: String,
}

fn key(id: ApprovalId) -> Key {
    Key { kind: REVIEW, id: RecordId::natural(&["review", &id.to_string()]) }
}

fn all() -> Index {
    Index { list: LIST_REVIEWS, owner: [0; 32] }
}

fn of(requester: &UserId) -> Index {
    Index { list: LIST_REVIEWS, owner: Sha256::digest(requester.as_str().as_bytes()).into() }
}

fn put(review: &Review) -> Result<Put, StoreError> {
    let sort = u64::MAX - millis(review.opened);
    let mut indexes = vec![IndexRow { index: all(), sort }, IndexRow { index: of(&review.requester.id), sort }];
    let drop_at = review.closed.as_ref().map(|closing| closing.at.saturating_add(KEEP).unwrap_or(Timestamp::MAX));
    indexes.extend(drop_at.map(|at| IndexRow { index: droppable(), sort: millis(at) }));
    Ok(Put { key: key(review.approval), body: encode(review)?, live_until: None, drop_at, indexes })
}

/// The review of an approval whose votes were just skipped.
pub(super) fn put_new(approval: &Approval, denied: Option<ApprovalId>, now: Timestamp) -> Result<Put, StoreError> {
    put(&Review {
        approval: approval.id,
        requester: approval.asked.requester.clone(),
        delegator: approval.asked.delegator.clone(),
        rule: approval.rule.clone(),
        reason: approval.break_glass.clone().unwrap_or_default(),
        denied,
        opened: now,
        closed: None,
    })
}

/// Reviews, newest first: all for an administrator, of one's own emergencies for everybody else.
pub async fn list(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Listed<Review>, AppError> {
    let index = if caller.administrator { all() } else { of(&caller.user) };
    let found = listing::page(services, tenant, index, after, limit).await?;
    Ok(Listed::of(&found, |_, record| decode(record).map(Some)))
}

/// Closes a review: an administrator, and not whose emergency it was.
pub async fn close(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    id: ApprovalId,
    comment: &str,
) -> Result<Review, AppError> {
    if !caller.administrator {
        return Err(services.denied(tenant, caller, "review.close", &id.to_string()).await);
    }
    let by = party_of(tenant, caller).await?;
    let key = key(id);
    let mut tries = services.tries();
    while tries.again().await {
        let snapshot = services.store.read(&tenant.name, &[key, lock_key(&caller.user)]).await?;
        let lock = locks::unlocked(&snapshot, &caller.user)?;
        let Some((mut review, record)) = find::<Review>(&snapshot, &key)? else {
            return Err(AppError::NotFound("review"));
        };
        if review.requester.id == by.id || review.requester.id == caller.user {
            return Err(Refused::OwnReview.into());
        }
        if review.closed.is_some() {
            return Err(Refused::ReviewClosed.into());
        }
        let now = snapshot.now;
        review.closed = Some(Closing { by: by.clone(), at: now, comment: comment.to_owned() });
        let actor = Actor::user(&by).as_administrator();
        let event = services
            .event(&tenant.name, Code::ReviewClosed, actor, now)
            .on_behalf_of(&review.delegator)
            .on("approval", &review.approval)
            .on("agent", &review.requester.id)
            .in_request(caller.request.as_deref())
            .changed(Some("OPEN"), "CLOSED")
            .detail("comment", comment);
        let change = Change {
            expect: vec![(key, Expect::Version(record.version)), lock],
            puts: vec![put(&review)?],
            events: encode_events(&[event])?,
            ..Change::new(services.change_id(), services.not_after(now, tenant))
        };
        if services.settle(&tenant.name, change, key).await?.stands() {
            return Ok(review);
        }
    }
    Err(Reason::Busy.into())
}
