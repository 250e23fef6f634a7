//! What happened, as one event for each state transition and each refusal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    delegation::Party,
    hook::TraceLine,
    ids::{ApplicationUri, EventId, TenantName},
    reason::Reason,
};

macro_rules! codes {
    ($( $(#[$doc:meta])* $name:ident = $code:literal, $kind:literal, $severity:literal );+ $(;)?) => {
        /// Which event. Codes and types are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $( $(#[$doc])* $name, )+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[ $( Code::$name, )+ ];

            /// The stable code, for detection rules.
            pub fn code(self) -> &'static str { match self { $( Self::$name => $code, )+ } }

            /// The stable dotted type, for people.
            pub const fn kind(self) -> &'static str { match self { $( Self::$name => $kind, )+ } }

            /// `info`, `warning` or `critical`.
            pub fn severity(self) -> &'static str { match self { $( Self::$name => $severity, )+ } }
        }
    };
}

codes! {
    /// A hook was answered with a delegated token.
    HookGranted = "DA1000", "hook.decision.granted", "info";
    /// A hook with a delegation id was refused.
    HookDenied = "DA1001", "hook.decision.denied", "warning";
    /// The same hook came again and got the stored answer.
    HookReplayed = "DA1002", "hook.replayed", "info";
    /// The same event id came with another body.
    HookReplayConflict = "DA1003", "hook.replay_conflict", "critical";
    /// An undelegated token pretended a delegation; our claims were removed.
    ClaimsSpoofed = "DA1005", "claims.spoofed", "critical";
    /// A commit stands, but its answer could not be given.
    AnswerWithheld = "DA1006", "hook.answer_withheld", "warning";
    /// A hook names one user and the session of another, so that it has no entity.
    EntityAmbiguous = "DA1007", "entity.ambiguous", "warning";
    /// A delegation was initiated.
    DelegationInitiated = "DA1100", "delegation.initiated", "info";
    /// An initiation was refused.
    DelegationRefused = "DA1101", "delegation.refused", "warning";
    /// The agent cancelled a delegation.
    DelegationCancelled = "DA1102", "delegation.cancelled", "info";
    /// A delegation was not used in time.
    DelegationExpired = "DA1103", "delegation.expired", "info";
    /// An approval was asked for.
    ApprovalRequested = "DA2000", "approval.requested", "info";
    /// Somebody decided about one.
    ApprovalVoted = "DA2001", "approval.voted", "info";
    /// Enough people said yes.
    ApprovalApproved = "DA2002", "approval.approved", "info";
    /// Somebody said no.
    ApprovalDenied = "DA2003", "approval.denied", "info";
    /// Nobody decided in time.
    ApprovalExpired = "DA2004", "approval.expired", "info";
    /// The requester took it back.
    ApprovalWithdrawn = "DA2005", "approval.withdrawn", "info";
    /// A decision was taken back.
    ApprovalRevoked = "DA2006", "approval.revoked", "warning";
    /// A hook used it.
    ApprovalUsed = "DA2007", "approval.used", "info";
    /// It was used up, or its time ran out.
    ApprovalEnded = "DA2008", "approval.ended", "info";
    /// Nobody used it in time.
    ApprovalUnusedExpired = "DA2009", "approval.unused_expired", "info";
    /// A request or a vote was refused.
    ApprovalRefused = "DA2010", "approval.refused", "warning";
    /// An approver registered a key.
    KeyRegistered = "DA2100", "approver_key.registered", "warning";
    /// Somebody else approved it.
    KeyApproved = "DA2101", "approver_key.approved", "info";
    /// Somebody else refused it.
    KeyDenied = "DA2102", "approver_key.denied", "warning";
    /// It was taken out of use.
    KeyRevoked = "DA2103", "approver_key.revoked", "warning";
    /// A key was not taken, or somebody tried to decide about one who may not.
    KeyRefused = "DA2104", "approver_key.refused", "warning";
    /// A challenge was handed out.
    Challenged = "DA2110", "approval.challenged", "info";
    /// A signature didn't count.
    SignatureRefused = "DA2111", "approval.signature_refused", "warning";
    /// Votes were skipped in an emergency.
    BreakGlass = "DA4000", "approval.break_glass", "critical";
    /// The review of an emergency was closed.
    ReviewClosed = "DA4001", "review.closed", "info";
    /// A shared account was reserved.
    ReservationMade = "DA3000", "reservation.made", "info";
    /// A token was given out for it: it is used up.
    ReservationConsumed = "DA3001", "reservation.consumed", "info";
    /// It was not used in time.
    ReservationExpired = "DA3002", "reservation.expired", "info";
    /// Its holder gave it back.
    ReservationReleased = "DA3003", "reservation.released", "info";
    /// An administrator took it away.
    ReservationForceReleased = "DA3004", "reservation.force_released", "warning";
    /// What it rested on was lost: the account's or the holder's state, his membership, the store's history.
    ReservationInvalidated = "DA3005", "reservation.invalidated", "warning";
    /// An attempt to reserve was refused.
    ReservationRefused = "DA3010", "reservation.refused", "warning";
    /// An application's token was refused; at most one a minute for each application and reason.
    ApplicationRefused = "DA5000", "application.refused", "warning";
    /// A user was shown a new secret for one-time codes.
    OtpBegun = "DA5100", "otp.begun", "info";
    /// He confirmed it by a code: from now on its codes count.
    OtpEnrolled = "DA5101", "otp.enrolled", "info";
    /// He removed what he had enrolled.
    OtpRemoved = "DA5102", "otp.removed", "info";
    /// The code by which he wanted to confirm was wrong.
    OtpUnconfirmed = "DA5103", "otp.unconfirmed", "warning";
    /// A shared account's holder logged in by his code.
    OtpAccepted = "DA5110", "otp.accepted", "info";
    /// A login by one-time code was refused.
    OtpRefused = "DA5111", "otp.refused", "warning";
    /// Too many were: nobody logs in there as this account for a while.
    OtpLocked = "DA5112", "otp.locked", "critical";
    /// A change of grants is about to be asked of the directory.
    GrantRequested = "DA6100", "grant.requested", "info";
    /// The directory took a grant in.
    GrantAdded = "DA6101", "grant.added", "info";
    /// The directory took a grant out.
    GrantRemoved = "DA6102", "grant.removed", "info";
    /// The directory did not do it.
    GrantFailed = "DA6103", "grant.failed", "warning";
    /// A change of whether a user can be a delegator is about to be asked of the directory.
    DelegatorRequested = "DA6110", "delegator.requested", "info";
    /// He can be one now.
    DelegatorActivated = "DA6111", "delegator.activated", "info";
    /// He can't be one any more.
    DelegatorDeactivated = "DA6112", "delegator.deactivated", "info";
    /// The directory did not do it.
    DelegatorFailed = "DA6113", "delegator.failed", "warning";
    /// An account was locked against delegation.
    LockPlaced = "DA6200", "lock.placed", "info";
    /// A lock was lifted.
    LockLifted = "DA6201", "lock.lifted", "info";
    /// Somebody tried what he has no right to.
    AccessDenied = "DA6300", "access.denied", "warning";
    /// Nobody could be told of an event.
    NoneReachable = "DA7001", "notification.none_reachable", "warning";
    /// A notification was given up.
    NotificationDead = "DA7002", "notification.dead", "warning";
    /// A webhook said that it wants nothing any more.
    WebhookDisabled = "DA7003", "notification.webhook_disabled", "warning";
    /// An administrator had a notification tried again.
    NotificationRetried = "DA7004", "notification.retried", "info";
    /// Another key signs the audit trail's checkpoints from now on.
    SigningKeyRotated = "DA9001", "audit.key_rotated", "warning";
    /// Old entries of the audit trail were dropped up to a checkpoint.
    AuditTrimmed = "DA9002", "audit.trimmed", "info";
    /// The store may have rolled back: what was pending is void.
    EpochRaised = "DA9010", "store.epoch_raised", "critical";
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Result {
    /// The exact reason's code.
    pub reason: Option<String>,
    /// `success` or `failure`.
    pub result: String,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Immutable id.
    pub id: String,
    /// Login, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// `user`, `administrator`, `application`, `idp` or `service`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Actor {
    /// A user.
    pub fn user(party: &Party) -> Self {
        Self { kind: "user".to_owned(), id: party.id.to_string(), login: Some(party.login.to_string()) }
    }

    /// A user of whom only the id is known.
    pub fn user_id(id: &str) -> Self {
        Self { kind: "user".to_owned(), id: id.to_owned(), login: None }
    }

    /// The same user, in that role.
    #[must_use]
    pub fn as_administrator(self) -> Self {
        Self { kind: "administrator".to_owned(), ..self }
    }

    /// An application without OIDC.
    pub fn application(uri: &ApplicationUri) -> Self {
        Self { kind: "application".to_owned(), id: uri.to_string(), login: None }
    }

    /// This service, by the name of its part.
    pub fn service(part: &str) -> Self {
        Self { kind: "service".to_owned(), id: part.to_owned(), login: None }
    }
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its public id; never a bearer secret.
    pub id: String,
    /// `delegation`, `reservation`, `user`, `lock`, `epoch`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Through what it was done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Client {
    /// The OAuth client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// The request that carried it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Request {
    /// The IdP's id of the hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_event_id: Option<String>,
    /// Our request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What policy said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Policy {
    /// The rule that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What each stage said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<TraceLine>,
}

/// A state transition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Before; `null` for what was made new.
    pub from: Option<String>,
    /// After.
    pub to: String,
}

/// One event, as it is stored, before the store numbers it.
///
/// Here and in its parts the fields stand in the order of their names, so that an event is stored in the canonical form
/// in which it is sealed (RFC 8785), and sealing only has to see that it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Who.
    pub actor: Actor,
    /// Before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Transition>,
    /// Through what.
    #[serde(default)]
    pub client: Client,
    /// Stable code.
    pub code: String,
    /// What has no field of its own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
    /// Its id.
    pub id: EventId,
    /// For whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Actor>,
    /// How it ended.
    pub outcome: Result,
    /// What policy said.
    #[serde(default)]
    pub policy: Policy,
    /// Carried by.
    #[serde(default)]
    pub request: Request,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// To what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<Target>,
    /// The tenant.
    pub tenant: TenantName,
    /// When, UTC, by the store's clock.
    pub time: Timestamp,
    /// Stable dotted type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Format version.
    pub v: u8,
}

impl Event {
    /// A successful event; the other functions add to it.
    pub fn new(code: Code, tenant: &TenantName, actor: Actor, id: EventId, time: Timestamp) -> Self {
        Self {
            v: 1,
            id,
            time,
            code: code.code().to_owned(),
            kind: code.kind().to_owned(),
            severity: code.severity().to_owned(),
            tenant: tenant.clone(),
            outcome: Result { result: "success".to_owned(), reason: None },
            actor,
            on_behalf_of: None,
            target: Vec::new(),
            client: Client::default(),
            request: Request::default(),
            policy: Policy::default(),
            change: None,
            details: Map::new(),
        }
    }

    /// It failed, for this reason.
    #[must_use]
    pub fn failed(self, reason: Reason) -> Self {
        self.failed_with(reason.code())
    }

    /// It failed, for a reason outside the table.
    #[must_use]
    pub fn failed_with(mut self, reason: &str) -> Self {
        self.outcome = Result { result: "failure".to_owned(), reason: Some(reason.to_owned()) };
        self
    }

    /// For this delegator.
    #[must_use]
    pub fn on_behalf_of(mut self, party: &Party) -> Self {
        self.on_behalf_of = Some(Actor::user(party));
        self
    }

    /// To this.
    #[must_use]
    pub fn on(mut self, kind: &str, id: &dyn std::fmt::Display) -> Self {
        self.target.push(Target { kind: kind.to_owned(), id: id.to_string() });
        self
    }

    /// Through this OAuth client.
    #[must_use]
    pub fn through(mut self, app: &str) -> Self {
        self.client.app = Some(app.to_owned());
        self
    }

    /// Carried by this request of ours.
    #[must_use]
    pub fn in_request(mut self, id: Option<&str>) -> Self {
        self.request.id = id.map(str::to_owned);
        self
    }

    /// From one state to another.
    #[must_use]
    pub fn changed(mut self, from: Option<&str>, to: &str) -> Self {
        self.change = Some(Transition { from: from.map(str::to_owned), to: to.to_owned() });
        self
    }

    /// With one more detail.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_types_are_unique() {
        let unique = |f: fn(Code) -> &'static str| {
            Code::ALL.iter().map(|c| f(*c)).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(unique(Code::code), Code::ALL.len());
        assert_eq!(unique(Code::kind), Code::ALL.len());
    }

    #[test]
    fn an_event_reads_back_as_written() {
        let event = Event::new(
            Code::HookDenied,
            &TenantName::default_tenant(),
            Actor::user_id("00uAnn"),
            EventId::mint(Timestamp::UNIX_EPOCH, [1; 10]),
            Timestamp::UNIX_EPOCH,
        )
        .failed(Reason::GrantGone)
        .on("delegation", &"dlr_x")
        .through("app")
        .changed(Some("PENDING"), "EXPIRED")
        .detail("note", "a\nb");
        let json = serde_json::to_string(&event).unwrap();
        assert!(json.contains(r#""reason":"grant-gone""#), "{json}");
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }
}
