//! An approval as the API shows it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::{
    approval::{
        Approval, Closed, State, Vote,
        application::FromApplication,
        template::{Demand, Kind, SignatureLevel, Template},
    },
    delegation::Party,
};

/// A user as the approval remembers him.
#[derive(Serialize, ToSchema)]
pub struct ApprovalParty {
    /// Immutable id.
    id: String,
    /// Login at the time.
    login: String,
}

impl From<Party> for ApprovalParty {
    fn from(party: Party) -> Self {
        Self { id: party.id.into(), login: party.login.into() }
    }
}

/// One person's decision.
#[derive(Serialize, ToSchema)]
pub struct VoteItem {
    /// Whose.
    by: ApprovalParty,
    /// `approve` or `deny`.
    decision: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Why, in his words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    comment: Option<String>,
    /// How he signed: `typed` or `jws`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    signature: Option<String>,
}

impl From<Vote> for VoteItem {
    fn from(vote: Vote) -> Self {
        let level = vote.signed.and_then(|signed| serde_json::to_value(signed.level()).ok());
        Self {
            by: vote.by.into(),
            decision: vote.choice.code(),
            at: vote.at,
            comment: vote.comment,
            signature: level.and_then(|level| level.as_str().map(str::to_owned)),
        }
    }
}

/// What the rule demanded when it was asked for.
#[derive(Serialize, ToSchema)]
pub struct TemplateItem {
    /// `approve` or `sign_and_approve`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// `user:<id>` and `group:<id>`.
    approvers: Vec<String>,
    /// Which signatures a vote takes: `typed`, `jws`; none with `approve`.
    signatures: Vec<&'static str>,
    /// How many must approve.
    quorum: u8,
    /// How often it may be used.
    max_uses: u32,
    /// How long it holds from the first use on, in seconds.
    valid_for_s: i64,
    /// How long it waits for its first use, in seconds.
    use_within_s: i64,
    /// `required` or `optional`.
    reason: &'static str,
    /// `required` or `optional`.
    ticket: &'static str,
    /// What tells this template from every other.
    digest: String,
}

fn level(level: SignatureLevel) -> &'static str {
    match level {
        SignatureLevel::Typed => "typed",
        SignatureLevel::Jws => "jws",
    }
}

impl From<Template> for TemplateItem {
    fn from(template: Template) -> Self {
        let demand = |demand| match demand {
            Demand::Required => "required",
            Demand::Optional => "optional",
        };
        Self {
            kind: match template.kind {
                Kind::Approve => "approve",
                Kind::SignAndApprove => "sign_and_approve",
            },
            digest: template.digest().to_string(),
            signatures: template.signatures.iter().copied().map(level).collect(),
            quorum: template.quorum,
            max_uses: template.max_uses,
            valid_for_s: template.valid_for.as_secs(),
            use_within_s: template.use_within.as_secs(),
            reason: demand(template.reason),
            ticket: demand(template.ticket),
            approvers: template.approvers.into_iter().map(String::from).collect(),
        }
    }
}

/// How it ended.
#[derive(Serialize, ToSchema)]
pub struct ClosedItem {
    /// `denied`, `decide-by`, `withdrawn`, `use-by`, `grant-until`, `uses-exhausted` or `revoked`.
    cause: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who ended it, where somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    by: Option<ApprovalParty>,
}

impl From<Closed> for ClosedItem {
    fn from(closed: Closed) -> Self {
        Self { cause: closed.cause.code(), at: closed.at, by: closed.by.map(ApprovalParty::from) }
    }
}

/// Data from the application, in its words and on its word alone.
#[derive(Serialize, ToSchema)]
pub struct ApplicationItem {
    /// Which application.
    uri: String,
    /// What it says it is about.
    title: String,
    /// Whom its token names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subject: Option<String>,
    /// What it sent along.
    #[schema(value_type = Object)]
    context: Map<String, Value>,
    /// The custom claims of its token.
    #[schema(value_type = Object)]
    claims: Map<String, Value>,
}

impl From<FromApplication> for ApplicationItem {
    fn from(said: FromApplication) -> Self {
        let FromApplication { uri, title, subject, context, claims } = said;
        Self { uri: uri.into(), title, subject, context, claims }
    }
}

/// An approval.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A", "state": "PENDING", "version": 1, "revision": 1,
    "requester": {"id": "00u1ann", "login": "ann@example.com"},
    "delegator": {"id": "00u1bob", "login": "bob@example.com"}, "client": "app", "scopes": ["payments.read"],
    "reason": "invoice run", "rule": "finance directors",
    "template": {"type": "approve", "approvers": ["group:00gsecops"], "signatures": [], "quorum": 1, "max_uses": 1,
        "valid_for_s": 3600, "use_within_s": 900, "reason": "required", "ticket": "optional",
        "digest": "sha256:43abdb316b4e1e8bcb49518bbbe616a4f55808350db5ba4cf012cdd6cdd3dea7"},
    "digest": "sha256:dc29c9f9faa6feb5872e5a5805bda9401a5d5a715c091e5c9e31f9269c8cf779",
    "created_at": "2026-11-21T10:00:00Z", "decide_by": "2026-11-21T11:00:00Z", "uses": 0, "votes": []}))]
pub struct ApprovalItem {
    /// Names the approval; opens nothing.
    id: String,
    /// `PENDING`, `APPROVED`, `ACTIVE`, `DENIED`, `EXPIRED`, `WITHDRAWN`, `ENDED`, `REVOKED` or `UNUSED_EXPIRED`.
    state: &'static str,
    /// The version of the request, which a vote names.
    version: u32,
    /// Grows with every change.
    revision: u64,
    /// Who asked for it.
    requester: ApprovalParty,
    /// On whose behalf.
    delegator: ApprovalParty,
    /// Through which client.
    client: String,
    /// Upper bound of the tokens' scopes.
    scopes: Vec<String>,
    /// Why, in the requester's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// A ticket number, in the requester's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ticket: Option<String>,
    /// Data from the application that asked for this on its own; requester and delegator are then the user whom it is
    /// about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    application: Option<ApplicationItem>,
    /// The rule that demanded it.
    rule: String,
    /// What the rule demanded.
    template: TemplateItem,
    /// The digest of the request, to which signatures bind.
    digest: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The first instant at which nobody can decide any more.
    #[schema(value_type = String, format = DateTime)]
    decide_by: Timestamp,
    /// Once approved: the first instant at which a first use comes too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, format = DateTime)]
    use_by: Option<Timestamp>,
    /// Once used: the first instant at which it can't be used any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, format = DateTime)]
    grant_until: Option<Timestamp>,
    /// How often it was used.
    uses: u32,
    /// Who decided what.
    votes: Vec<VoteItem>,
    /// Why the votes were skipped, in an emergency.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    break_glass: Option<String>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    closed: Option<ClosedItem>,
}

impl From<Approval> for ApprovalItem {
    fn from(approval: Approval) -> Self {
        let (state, uses) = (approval.state.name(), approval.state.uses());
        let (use_by, grant_until, closed) = match approval.state {
            State::Pending => (None, None, None),
            State::Approved { use_by, .. } => (Some(use_by), None, None),
            State::Active { grant_until, .. } => (None, Some(grant_until), None),
            State::Closed(closed) => (None, None, Some(closed.into())),
        };
        let asked = approval.asked;
        Self {
            id: approval.id.to_string(),
            state,
            version: approval.version,
            revision: approval.revision,
            requester: asked.requester.into(),
            delegator: asked.delegator.into(),
            client: asked.client.into(),
            scopes: asked.scopes.into_iter().collect(),
            reason: asked.reason,
            ticket: asked.ticket,
            application: asked.application.map(ApplicationItem::from),
            rule: approval.rule,
            template: approval.template.into(),
            digest: approval.digest.to_string(),
            created_at: approval.created,
            decide_by: approval.decide_by,
            use_by,
            grant_until,
            uses,
            votes: approval.votes.into_iter().map(VoteItem::from).collect(),
            break_glass: approval.break_glass,
            closed,
        }
    }
}
