//! What a rule demands of an approval: who may decide, how many of them, how they sign, and until when.

use std::{collections::BTreeSet, fmt, ops::RangeInclusive, str::FromStr};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::domain::{
    canonical::canonical,
    chain::Digest,
    ids::{GroupId, IdError, UserId},
};

/// How many approvers a template names.
pub const APPROVERS: RangeInclusive<usize> = 1..=8;
/// How many votes it may ask for.
pub const QUORUM: RangeInclusive<u8> = 1..=16;
/// How often one approval may be used.
pub const USES: RangeInclusive<u32> = 1..=1000;
/// How long each of the deadlines may be.
pub const DEADLINE: RangeInclusive<SignedDuration> = SignedDuration::from_secs(1)..=SignedDuration::from_hours(24);

/// What an approver's vote takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A click.
    Approve,
    /// A signature over the request.
    SignAndApprove,
}

/// What counts as a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureLevel {
    /// A fresh sign-in and the full name, typed.
    Typed,
    /// A detached JWS by a registered key.
    Jws,
}

/// Whether a text must be given with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// No request without it.
    Required,
    /// Kept if it is given.
    #[default]
    Optional,
}

/// Who may decide; written `user:<id>` or `group:<id>`, with the directory's immutable ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Approver {
    /// One user.
    User(UserId),
    /// Every member of a group.
    Group(GroupId),
}

impl Approver {
    /// The user, if it is one.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::Group(_) => None,
        }
    }

    /// The group, if it is one.
    pub fn group(&self) -> Option<&GroupId> {
        match self {
            Self::User(_) => None,
            Self::Group(id) => Some(id),
        }
    }
}

/// Why a text names no approver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApproverError {
    /// Neither of the two prefixes.
    #[error("is neither `user:<id>` nor `group:<id>`")]
    Form,
    /// What follows the prefix is no id.
    #[error("the id {0}")]
    Id(#[from] IdError),
}

impl FromStr for Approver {
    type Err = ApproverError;

    fn from_str(text: &str) -> Result<Self, ApproverError> {
        match text.split_once(':') {
            Some(("user", id)) => Ok(Self::User(UserId::parse(id)?)),
            Some(("group", id)) => Ok(Self::Group(GroupId::parse(id)?)),
            _ => Err(ApproverError::Form),
        }
    }
}

impl fmt::Display for Approver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
        }
    }
}

impl TryFrom<String> for Approver {
    type Error = ApproverError;
    fn try_from(text: String) -> Result<Self, ApproverError> {
        text.parse()
    }
}

impl From<Approver> for String {
    fn from(approver: Approver) -> Self {
        approver.to_string()
    }
}

/// What a rule demands of an approval. An approval keeps it as it was at its creation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// What a vote takes.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Which signatures count; empty exactly if none is asked for.
    pub signatures: BTreeSet<SignatureLevel>,
    /// Who may decide.
    pub approvers: BTreeSet<Approver>,
    /// How many of them must approve.
    pub quorum: u8,
    /// Until when it must be decided, from the request on.
    #[serde(rename = "decide_within_s", with = "seconds")]
    pub decide_within: SignedDuration,
    /// Until when it must first be used, from the decision on.
    #[serde(rename = "use_within_s", with = "seconds")]
    pub use_within: SignedDuration,
    /// How long it holds, from the first use on.
    #[serde(rename = "valid_for_s", with = "seconds")]
    pub valid_for: SignedDuration,
    /// How often it may be used.
    pub max_uses: u32,
    /// Whether a reason must be given.
    pub reason: Demand,
    /// Whether a ticket's number must be given.
    pub ticket: Demand,
    /// Whether the delegator's own vote counts, where the approvers include him.
    pub delegator_may_approve: bool,
}

/// What is wrong with a template's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Nobody may decide.
    #[error("names nobody")]
    NoApprovers,
    /// More approvers than a request can list.
    #[error("names more than {} approvers", APPROVERS.end())]
    TooManyApprovers,
    /// A quorum of nobody, or of too many.
    #[error("is not within {} to {}", QUORUM.start(), QUORUM.end())]
    Quorum,
    /// Nobody but the named users may vote, and these are fewer than the quorum.
    #[error("asks for more votes than there are approvers")]
    QuorumOutOfReach,
    /// A signature is demanded, and none would count.
    #[error("lets no signature count")]
    NoSignature,
    /// Signatures are named where none is asked for.
    #[error("means nothing where no signature is asked for")]
    NeedlessSignatures,
    /// The time to decide is out of bounds.
    #[error("is not within 1s to 24h")]
    DecideWithin,
    /// The time to use it is out of bounds.
    #[error("is not within 1s to 24h")]
    UseWithin,
    /// The time that it holds is out of bounds.
    #[error("is not within 1s to 24h")]
    ValidFor,
    /// No use at all, or too many.
    #[error("is not within {} to {}", USES.start(), USES.end())]
    MaxUses,
}

impl Flaw {
    /// The key of the configuration that has to be changed.
    pub fn key(self) -> &'static str {
        match self {
            Self::NoApprovers | Self::TooManyApprovers => "approvers",
            Self::Quorum | Self::QuorumOutOfReach => "quorum",
            Self::NoSignature | Self::NeedlessSignatures => "signatures",
            Self::DecideWithin => "decide_within",
            Self::UseWithin => "use_within",
            Self::ValidFor => "valid_for",
            Self::MaxUses => "max_uses",
        }
    }
}

impl Template {
    /// A template of this kind for these approvers: one vote, any signature, an hour to decide, a quarter to begin,
    /// one use.
    pub fn new(kind: Kind, approvers: BTreeSet<Approver>) -> Self {
        let signatures = match kind {
            Kind::Approve => BTreeSet::new(),
            Kind::SignAndApprove => BTreeSet::from([SignatureLevel::Typed, SignatureLevel::Jws]),
        };
        Self {
            kind,
            signatures,
            approvers,
            quorum: 1,
            decide_within: SignedDuration::from_hours(1),
            use_within: SignedDuration::from_mins(15),
            valid_for: SignedDuration::from_hours(1),
            max_uses: 1,
            reason: Demand::Optional,
            ticket: Demand::Optional,
            delegator_may_approve: false,
        }
    }

    /// Everything that is wrong with its shape; what only the directory knows isn't asked here.
    pub fn flaws(&self) -> Vec<Flaw> {
        let wrong = [
            (self.approvers.is_empty(), Flaw::NoApprovers),
            (self.approvers.len() > *APPROVERS.end(), Flaw::TooManyApprovers),
            (!QUORUM.contains(&self.quorum), Flaw::Quorum),
            (self.is_out_of_reach(), Flaw::QuorumOutOfReach),
            (self.kind == Kind::SignAndApprove && self.signatures.is_empty(), Flaw::NoSignature),
            (self.kind == Kind::Approve && !self.signatures.is_empty(), Flaw::NeedlessSignatures),
            (!DEADLINE.contains(&self.decide_within), Flaw::DecideWithin),
            (!DEADLINE.contains(&self.use_within), Flaw::UseWithin),
            (!DEADLINE.contains(&self.valid_for), Flaw::ValidFor),
            (!USES.contains(&self.max_uses), Flaw::MaxUses),
        ];
        wrong.into_iter().filter_map(|(is_so, flaw)| is_so.then_some(flaw)).collect()
    }

    /// The users who are named by id.
    pub fn users(&self) -> impl Iterator<Item = &UserId> {
        self.approvers.iter().filter_map(Approver::user)
    }

    /// The groups whose members may decide.
    pub fn groups(&self) -> impl Iterator<Item = &GroupId> {
        self.approvers.iter().filter_map(Approver::group)
    }

    /// What tells this template from every other: SHA-256 over its canonical JSON (RFC 8785).
    #[expect(clippy::missing_panics_doc, reason = "it doesn't")]
    #[expect(clippy::expect_used, reason = "texts, whole numbers and flags can always be written")]
    pub fn digest(&self) -> Digest {
        Digest::of(&[], canonical(self).expect("a template in JSON").as_bytes())
    }

    fn is_out_of_reach(&self) -> bool {
        let named = self.approvers.len();
        named > 0 && self.groups().next().is_none() && QUORUM.contains(&self.quorum) && usize::from(self.quorum) > named
    }
}

mod seconds {
    use jiff::SignedDuration;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(span: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(span.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
        i64::deserialize(deserializer).map(SignedDuration::from_secs)
    }
}

#[cfg(test)]
mod tests;
