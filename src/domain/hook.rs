//! One call of an identity provider's token hook, in words that fit every provider.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{chain::SealedHead, claims::ClaimPatch, reason::Reason};

/// The delegation id, or the secret of a reservation, that a hook carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Candidate<T> {
    /// The hook carries none: most of the traffic.
    #[default]
    None,
    /// One value that begins with `dlg_`; whether it is an id is for the store to say.
    One(T),
    /// One value of the form of a reservation's secret, `rsv_…`.
    Reservation(T),
    /// Two different values.
    Ambiguous,
}

/// What the request says of one token about to be minted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenFacts<'a> {
    /// Names of the claims that the token has so far. A patch must fit them.
    pub claims: Vec<Cow<'a, str>>,
    /// Seconds the token is to live, if the request tells.
    pub lifetime: Option<u64>,
}

impl TokenFacts<'_> {
    /// True if the token has a claim of that name.
    pub fn has(&self, name: &str) -> bool {
        self.claims.iter().any(|claim| claim == name)
    }

    fn into_owned(self) -> TokenFacts<'static> {
        let claims = self.claims.into_iter().map(|c| Cow::Owned(c.into_owned())).collect();
        TokenFacts { claims, lifetime: self.lifetime }
    }
}

/// A hook call as a dialect decoded it. Every field may be missing: a decision that needs one refuses without it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct HookRequest<'a> {
    /// The IdP's id of this call; the same on a second delivery.
    pub event_id: Option<Cow<'a, str>>,
    /// The user whose token is being minted, by the IdP's immutable id.
    pub agent: Option<Cow<'a, str>>,
    /// The client that asks for the token.
    pub client: Option<Cow<'a, str>>,
    /// The authorization server that mints it.
    pub issuer: Option<Cow<'a, str>>,
    /// Scopes of the token; `None` where the request doesn't tell, which is not the same as none.
    pub scopes: Option<Vec<Cow<'a, str>>>,
    /// OAuth grant type, if the request tells.
    pub grant_type: Option<Cow<'a, str>>,
    /// The delegation id or the reservation's secret, bearer secrets both; hence no `Debug` on this type.
    pub candidate: Candidate<Cow<'a, str>>,
    /// The flow asks twice for one authorization (OAuth 2.0 hybrid flow).
    pub hybrid: bool,
    /// The access token, if one is being minted.
    pub access: Option<TokenFacts<'a>>,
    /// The ID token, if one is being minted.
    pub identity: Option<TokenFacts<'a>>,
}

/// The user of a self-test's hooks. No provider gives such an id, and no delegation is bound to it.
pub const SELF_TEST_USER: &str = "behalf-self-test";

impl HookRequest<'_> {
    /// True for the hook of a self-test: it comes from an operator and tells nothing of the provider.
    pub fn is_self_test(&self) -> bool {
        self.agent.as_deref() == Some(SELF_TEST_USER)
    }

    /// The same request, independent of the body it was read from.
    pub fn into_owned(self) -> HookRequest<'static> {
        let own = |c: Option<Cow<'_, str>>| c.map(|c| Cow::Owned(c.into_owned()));
        HookRequest {
            event_id: own(self.event_id),
            agent: own(self.agent),
            client: own(self.client),
            issuer: own(self.issuer),
            scopes: self.scopes.map(|all| all.into_iter().map(|s| Cow::Owned(s.into_owned())).collect()),
            grant_type: own(self.grant_type),
            candidate: match self.candidate {
                Candidate::None => Candidate::None,
                Candidate::One(id) => Candidate::One(Cow::Owned(id.into_owned())),
                Candidate::Reservation(secret) => Candidate::Reservation(Cow::Owned(secret.into_owned())),
                Candidate::Ambiguous => Candidate::Ambiguous,
            },
            hybrid: self.hybrid,
            access: self.access.map(TokenFacts::into_owned),
            identity: self.identity.map(TokenFacts::into_owned),
        }
    }
}

/// What identifies one delivery: the IdP's event id and the body, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The event id. A dialect of an IdP without one makes it up from what stays the same on a second delivery.
    pub event_id: String,
    /// SHA-256 of the raw body, hex.
    pub body: String,
}

/// What the IdP is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Mint the token as it is.
    Untouched,
    /// Mint it with this patch.
    Patch(ClaimPatch),
    /// Mint no token.
    Reject,
}

/// How a hook ended: for metrics, audit and the debug log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// No delegation asked for, nothing to do.
    Untouched,
    /// No delegation asked for, but the token pretended one: our claims were removed.
    Stripped,
    /// No delegation asked for; the token now names the user's entity.
    Enriched,
    /// Delegated.
    Granted,
    /// Delegated; the stored answer of the first delivery.
    Replayed,
    /// Refused for this reason.
    Refused(Reason),
}

impl Outcome {
    /// Stable code for metrics and the debug log.
    pub fn code(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Stripped => "stripped",
            Self::Enriched => "enriched",
            Self::Granted => "granted",
            Self::Replayed => "replayed",
            Self::Refused(_) => "refused",
        }
    }

    /// The exact reason of a refusal.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Refused(reason) => Some(reason),
            Self::Untouched | Self::Stripped | Self::Enriched | Self::Granted | Self::Replayed => None,
        }
    }
}

/// A decision, ready for a dialect to write down.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// How it ended.
    pub outcome: Outcome,
    /// What the IdP shall do.
    pub effect: Effect,
    /// The audit event that tells of it, if one was written.
    pub event: Option<String>,
    /// One entry for each stage that ran: its name and what it said.
    pub trace: Vec<TraceLine>,
    /// How far the audit trail was sealed, if it was looked at: written where we can't reach it, it is an anchor.
    pub sealed: Option<SealedHead>,
}

impl Decision {
    /// The answer to a hook that has nothing to do with us.
    pub const UNTOUCHED: Self =
        Self { outcome: Outcome::Untouched, effect: Effect::Untouched, event: None, trace: Vec::new(), sealed: None };
}

/// What one stage said. A part of events: its fields stand in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceLine {
    /// `continue`, `patch` or the reason's code.
    pub said: String,
    /// The stage's name.
    pub stage: String,
}

/// What a refusal, or a failure of ours, does to the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRefusal {
    /// The IdP is told to mint no token.
    #[default]
    Reject,
    /// The token is minted without a delegation.
    Pass,
}

/// What happens to hooks that are refused, by whose doing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RefusalForm {
    /// A decision: policy, grant, an id that can't be used.
    pub on_refused: OnRefusal,
    /// Our own failure: store, directory, deadline, defect.
    pub on_failure: OnRefusal,
}

impl RefusalForm {
    /// The decision that a refusal for `reason` comes to.
    pub fn refuse(self, reason: Reason) -> Decision {
        let form = if reason.is_failure() { self.on_failure } else { self.on_refused };
        let effect = match form {
            OnRefusal::Reject => Effect::Reject,
            OnRefusal::Pass => Effect::Untouched,
        };
        Decision { outcome: Outcome::Refused(reason), effect, event: None, trace: Vec::new(), sealed: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_decisions_have_their_own_form() {
        let form = RefusalForm { on_refused: OnRefusal::Pass, on_failure: OnRefusal::Reject };
        assert_eq!(form.refuse(Reason::GrantGone).effect, Effect::Untouched);
        assert_eq!(form.refuse(Reason::StoreUnavailable).effect, Effect::Reject);
        assert_eq!(RefusalForm::default().refuse(Reason::Expired).effect, Effect::Reject);
    }
}
