//! Every refusal there is, in one table: an exact code for the operator, a coarse one for everybody else.

use serde::{Deserialize, Serialize};

/// What the outside may learn of a refusal: stable codes for IdP error texts and problem documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Public {
    /// The id can't be used: unknown, expired, foreign, used or cancelled look alike.
    DelegationNotUsable,
    /// There is no such grant, whatever the cause.
    NotDelegated,
    /// The delegator's or the agent's account is locked.
    Locked,
    /// The token asks for more than the rule or the delegation allows.
    ScopeNotAllowed,
    /// The rule now asks for something that this delegation wasn't prepared for.
    StageMissing,
    /// The rule's maximum lifetime is below what the IdP can mint.
    LifetimeTooShort,
    /// The account is used by reservation only, and there is none that is good here.
    ReservationRequired,
    /// Somebody holds the account.
    Reserved,
    /// The caller may not use the shared account, or there is none of that name.
    NotAMember,
    /// The shared account isn't active.
    AccountNotActive,
    /// The rule demands an approval, and this delegation has none that can be used.
    ApprovalRequired,
    /// Our own failure: try again.
    TemporarilyUnavailable,
}

impl Public {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::DelegationNotUsable => "delegation-not-usable",
            Self::NotDelegated => "not-delegated",
            Self::Locked => "locked",
            Self::ScopeNotAllowed => "scope-not-allowed",
            Self::StageMissing => "stage-missing",
            Self::LifetimeTooShort => "lifetime-too-short",
            Self::ReservationRequired => "reservation-required",
            Self::Reserved => "reserved",
            Self::NotAMember => "not-a-member",
            Self::AccountNotActive => "account-not-active",
            Self::ApprovalRequired => "approval-required",
            Self::TemporarilyUnavailable => "temporarily-unavailable",
        }
    }

    /// A sentence for the person in front of the client app.
    pub fn text(self) -> &'static str {
        match self {
            Self::DelegationNotUsable => "This delegation can't be used. Start it again.",
            Self::NotDelegated => "You may not act on behalf of this user.",
            Self::Locked => "This account is locked against delegation.",
            Self::ScopeNotAllowed => "The token asks for more scopes than this delegation allows.",
            Self::StageMissing => "This delegation needs a step that it was not prepared for. Start it again.",
            Self::LifetimeTooShort => "The allowed token lifetime is shorter than the identity provider can issue.",
            Self::ReservationRequired => "This account can be used with a reservation only. Reserve it first.",
            Self::Reserved => "This account is reserved at the moment.",
            Self::NotAMember => "There is no such shared account that you may use.",
            Self::AccountNotActive => "This account isn't active.",
            Self::ApprovalRequired => {
                "This delegation needs an approval that it doesn't have (any more). Start it again."
            }
            Self::TemporarilyUnavailable => "The delegation could not be checked. Try again in a moment.",
        }
    }
}

macro_rules! reasons {
    ($( $(#[$doc:meta])* $name:ident = $code:literal => $public:ident ),+ $(,)?) => {
        /// Why something was refused, exactly: for audit, metrics, traces and the IdP's debug log.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason {
            $( $(#[$doc])* #[serde(rename = $code)] $name, )+
        }

        impl Reason {
            /// Every reason, for metrics that show zero before the first case, and for the documents.
            pub const ALL: &'static [Reason] = &[ $( Reason::$name, )+ ];

            /// The stable, exact code.
            pub fn code(self) -> &'static str {
                match self { $( Self::$name => $code, )+ }
            }

            /// What the outside is told.
            pub fn public(self) -> Public {
                match self { $( Self::$name => Public::$public, )+ }
            }
        }
    };
}

reasons! {
    /// No such id was handed out, or it was dropped long ago.
    UnknownId = "unknown-id" => DelegationNotUsable,
    /// The time to use it is over.
    Expired = "expired" => DelegationNotUsable,
    /// It was initiated by another user.
    ForeignAgent = "foreign-agent" => DelegationNotUsable,
    /// It was initiated through another client.
    ForeignClient = "foreign-client" => DelegationNotUsable,
    /// It belongs to another issuer.
    ForeignIssuer = "foreign-issuer" => DelegationNotUsable,
    /// It was used by another hook.
    AlreadyUsed = "already-used" => DelegationNotUsable,
    /// The agent cancelled it.
    Cancelled = "cancelled" => DelegationNotUsable,
    /// The same event id came with another body.
    ReplayConflict = "replay-conflict" => DelegationNotUsable,
    /// The store may have rolled back since it was initiated.
    EpochChanged = "epoch-changed" => DelegationNotUsable,
    /// The request names two different ids.
    AmbiguousId = "ambiguous-id" => DelegationNotUsable,
    /// A hybrid flow asks twice for one state.
    HybridFlow = "hybrid-flow" => DelegationNotUsable,
    /// The hook lacks what a decision needs (user, client, issuer), or can't be read.
    MalformedHook = "malformed-hook" => DelegationNotUsable,
    /// No access token is being minted: there is nothing that could say "on behalf".
    NoAccessToken = "no-access-token" => DelegationNotUsable,
    /// The delegator doesn't list the agent (any more).
    GrantGone = "grant-gone" => NotDelegated,
    /// No such delegator.
    DelegatorUnknown = "delegator-unknown" => NotDelegated,
    /// The delegator's account isn't active.
    DelegatorInactive = "delegator-inactive" => NotDelegated,
    /// The delegator's user type can't be delegated.
    DelegatorNotDelegatable = "delegator-not-delegatable" => NotDelegated,
    /// No such agent.
    AgentUnknown = "agent-unknown" => NotDelegated,
    /// The agent's account isn't active.
    AgentInactive = "agent-inactive" => NotDelegated,
    /// The agent names himself.
    SelfDelegation = "self-delegation" => NotDelegated,
    /// The directory answers for another user than the one asked for.
    DirectoryMismatch = "directory-mismatch" => NotDelegated,
    /// The delegator or the agent is locked.
    Locked = "locked" => Locked,
    /// The token has a scope beyond the bound ones or the rule's.
    ScopeNotAllowed = "scope-not-allowed" => ScopeNotAllowed,
    /// The request doesn't tell the token's scopes, so no bound on them can be kept.
    ScopesUnknown = "scopes-unknown" => ScopeNotAllowed,
    /// The hook's rule asks for a stage that the delegation doesn't carry.
    StageMissing = "stage-missing" => StageMissing,
    /// The rule demands an approval, and the delegation carries none.
    ApprovalMissing = "approval-missing" => ApprovalRequired,
    /// Nobody decided yet.
    ApprovalPending = "approval-pending" => ApprovalRequired,
    /// Somebody said no.
    ApprovalDenied = "approval-denied" => ApprovalRequired,
    /// Every use of it was made.
    ApprovalSpent = "approval-spent" => ApprovalRequired,
    /// One of its deadlines has passed.
    ApprovalExpired = "approval-expired" => ApprovalRequired,
    /// It was revoked, or withdrawn.
    ApprovalRevoked = "approval-revoked" => ApprovalRequired,
    /// What was decided about is not what the hook shows, or not what the rule demands now.
    ApprovalMismatch = "approval-mismatch" => ApprovalRequired,
    /// The rule's lifetime lies below the dialect's minimum.
    LifetimeTooShort = "lifetime-too-short" => LifetimeTooShort,
    /// The rule limits the lifetime, and the request doesn't tell the present one.
    LifetimeUnknown = "lifetime-unknown" => LifetimeTooShort,
    /// There is no reservation of this account that would be this user's.
    ReservationMissing = "reservation-missing" => ReservationRequired,
    /// The reservation was used, ran out, was released, taken away or made void.
    ReservationGone = "reservation-gone" => ReservationRequired,
    /// Another holds the account.
    Reserved = "reserved" => Reserved,
    /// The account isn't shared, or the user isn't in its group (any more).
    NotAMember = "not-a-member" => NotAMember,
    /// The holder's own account isn't active, or is gone.
    HolderInactive = "holder-inactive" => NotAMember,
    /// The shared account isn't active, or is gone.
    AccountInactive = "account-inactive" => AccountNotActive,
    /// The delegator has no value for the subject attribute.
    SubjectMissing = "subject-missing" => TemporarilyUnavailable,
    /// The store didn't answer, or answered with an error.
    StoreUnavailable = "store-unavailable" => TemporarilyUnavailable,
    /// The store holds what this version can't read: a newer one wrote it, or it is damaged.
    StoreUnreadable = "store-unreadable" => TemporarilyUnavailable,
    /// The commit's outcome could not be learned in time.
    OutcomeUnknown = "outcome-unknown" => TemporarilyUnavailable,
    /// The delegator's attributes are larger than an answer may be.
    AnswerTooLarge = "answer-too-large" => TemporarilyUnavailable,
    /// The directory didn't answer.
    DirectoryUnavailable = "directory-unavailable" => TemporarilyUnavailable,
    /// The directory refused our question.
    DirectoryRejected = "directory-rejected" => TemporarilyUnavailable,
    /// The directory asks us to slow down.
    DirectoryThrottled = "directory-throttled" => TemporarilyUnavailable,
    /// The budget of the hook was used up.
    Deadline = "deadline" => TemporarilyUnavailable,
    /// Others kept changing the same records.
    Busy = "busy" => TemporarilyUnavailable,
    /// A defect of ours.
    Internal = "internal" => TemporarilyUnavailable,
}

impl Reason {
    /// True for our own failures (`on_failure`); false for decisions (`on_refused`).
    pub fn is_failure(self) -> bool {
        self.public() == Public::TemporarilyUnavailable
    }

    /// True if a reservation has lost what it rests on: account, holder or membership.
    pub fn voids_reservation(self) -> bool {
        matches!(
            self,
            Self::NotAMember
                | Self::HolderInactive
                | Self::AccountInactive
                | Self::AgentInactive
                | Self::AgentUnknown
                | Self::DelegatorInactive
                | Self::DelegatorUnknown
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            let code = reason.code();
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code}");
            assert!(seen.insert(code), "{code} twice");
            assert_eq!(serde_json::to_value(reason).unwrap(), code);
        }
    }

    #[test]
    fn the_outside_cannot_tell_the_ids_or_the_grants_apart() {
        use Reason::*;
        for r in [UnknownId, Expired, ForeignAgent, ForeignClient, AlreadyUsed, Cancelled] {
            assert_eq!(r.public(), Public::DelegationNotUsable);
        }
        for r in [GrantGone, DelegatorUnknown, DelegatorInactive, DelegatorNotDelegatable] {
            assert_eq!(r.public(), Public::NotDelegated);
        }
    }
}
