//! What happened, as one event for each state transition and each refusal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    delegation::Party,
    hook::TraceLine,
    ids::{EventId, TenantName},
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
            pub fn kind(self) -> &'static str { match self { $( Self::$name => $kind, )+ } }

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
    /// A delegation was initiated.
    DelegationInitiated = "DA1100", "delegation.initiated", "info";
    /// An initiation was refused.
    DelegationRefused = "DA1101", "delegation.refused", "warning";
    /// The agent cancelled a delegation.
    DelegationCancelled = "DA1102", "delegation.cancelled", "info";
    /// A delegation was not used in time.
    DelegationExpired = "DA1103", "delegation.expired", "info";
    /// A change of grants is about to be asked of the directory.
    GrantRequested = "DA6100", "grant.requested", "info";
    /// The directory took a grant in.
    GrantAdded = "DA6101", "grant.added", "info";
    /// The directory took a grant out.
    GrantRemoved = "DA6102", "grant.removed", "info";
    /// The directory did not do it.
    GrantFailed = "DA6103", "grant.failed", "warning";
    /// An account was locked against delegation.
    LockPlaced = "DA6200", "lock.placed", "info";
    /// A lock was lifted.
    LockLifted = "DA6201", "lock.lifted", "info";
    /// Somebody tried what he has no right to.
    AccessDenied = "DA6300", "access.denied", "warning";
    /// Another key signs the audit trail's checkpoints from now on.
    SigningKeyRotated = "DA9001", "audit.key_rotated", "warning";
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
    /// `user`, `administrator`, `idp` or `service`.
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
    /// `delegation`, `user`, `lock`, `epoch`.
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

/// One event, as it is stored, before the store numbers it. The fields here, and those of what they hold, stand in
/// the order of their JSON names: see [`Event::to_canonical`].
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
    /// A successful event; the `with_` and `on_` functions add to it.
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

    /// Canonical JSON (RFC 8785), as it is stored and sealed. A plain event's fields stand in canonical order, so that
    /// writing it as it is does; a test holds that against the library.
    pub fn to_canonical(&self) -> serde_json::Result<Vec<u8>> {
        if self.is_plain() { serde_json::to_vec(self) } else { serde_json_canonicalizer::to_vec(self) }
    }

    /// True if there is nothing but texts in it, the details included: then it tells of no key, either.
    pub(super) fn is_plain(&self) -> bool {
        self.details.iter().all(|(name, value)| name.is_ascii() && value.is_string())
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
    use proptest::{
        collection::{btree_map, vec},
        prelude::{Strategy, any, prop_assert_eq, prop_compose, proptest},
    };

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
        let json = String::from_utf8(event.to_canonical().unwrap()).unwrap();
        assert!(json.contains(r#""reason":"grant-gone""#), "{json}");
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }

    fn actor() -> impl Strategy<Value = Actor> {
        (any::<String>(), any::<Option<String>>(), any::<String>()).prop_map(|(id, login, kind)| Actor {
            id,
            login,
            kind,
        })
    }

    fn valued((name, value): (String, impl Into<Value>)) -> (String, Value) {
        (name, value.into())
    }

    /// The event with such details only as leave it plain.
    fn plain(event: &Event) -> Event {
        let texts = event.details.iter().filter(|(name, value)| name.is_ascii() && value.is_string());
        Event { details: texts.map(|(name, value)| (name.clone(), value.clone())).collect(), ..event.clone() }
    }

    prop_compose! {
        fn event()(
            actor in actor(),
            on_behalf_of in proptest::option::of(actor()),
            change in proptest::option::of(any::<(Option<String>, String)>()),
            app in any::<Option<String>>(),
            (reason, result) in any::<(Option<String>, String)>(),
            (hook_event_id, id) in any::<(Option<String>, Option<String>)>(),
            rule in any::<Option<String>>(),
            trace in vec(any::<(String, String)>(), 0..3),
            target in vec(any::<(String, String)>(), 0..3),
            texts in btree_map(any::<String>(), any::<String>(), 0..4),
            numbers in btree_map(any::<String>(), any::<f64>(), 0..4),
            second in 0..4_000_000_000_i64,
        ) -> Event {
            let time = Timestamp::from_second(second).unwrap();
            Event {
                change: change.map(|(from, to)| Transition { from, to }),
                client: Client { app },
                details: texts.into_iter().map(valued).chain(numbers.into_iter().map(valued)).collect(),
                on_behalf_of,
                outcome: Result { reason, result },
                policy: Policy { rule, trace: trace.into_iter().map(|(said, stage)| TraceLine { said, stage }).collect() },
                request: Request { hook_event_id, id },
                target: target.into_iter().map(|(id, kind)| Target { id, kind }).collect(),
                ..Event::new(Code::HookDenied, &TenantName::default_tenant(), actor, EventId::mint(time, [1; 10]), time)
            }
        }
    }

    proptest! {
        #[test]
        fn events_are_written_canonically(event in event()) {
            for event in [plain(&event), event] {
                let value: Value = serde_json::from_slice(&serde_json::to_vec(&event).unwrap()).unwrap();
                let expected = serde_json_canonicalizer::to_string(&value).unwrap();
                prop_assert_eq!(String::from_utf8(event.to_canonical().unwrap()).unwrap(), expected);
            }
        }
    }
}
