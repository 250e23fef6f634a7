//! The keys with which somebody signs his decisions: registered, approved where the tenant wants that, revoked.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Choice, Voter,
    jwk::{Jwk, Kid},
    signature::Fault,
    template::Approver,
    voting::{is_named, is_same},
};
use crate::domain::delegation::Party;

/// Keys that one person may have at a time.
pub const MOST_KEYS: usize = 5;
/// Keys that are remembered of one person, those that can't be used any more included.
pub const MOST_KEPT: usize = 20;

/// Where a key stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "UPPERCASE")]
pub enum KeyState {
    /// Somebody else must approve it first.
    Pending,
    /// It signs.
    Active {
        /// From when on.
        since: Timestamp,
        /// Who approved it, where that is asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<Party>,
    },
    /// It was not approved.
    Denied {
        /// When.
        at: Timestamp,
        /// By whom.
        by: Party,
    },
    /// It was taken out of use.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

impl KeyState {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active { .. } => "ACTIVE",
            Self::Denied { .. } => "DENIED",
            Self::Revoked { .. } => "REVOKED",
        }
    }

    fn is_live(&self) -> bool {
        matches!(self, Self::Pending | Self::Active { .. })
    }
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproverKey {
    /// Its name: the thumbprint.
    pub kid: Kid,
    /// The key itself.
    pub jwk: Jwk,
    /// What its owner calls it.
    pub name: String,
    /// When it was registered.
    pub registered: Timestamp,
    /// Where it stands.
    pub state: KeyState,
}

/// All keys of one person, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRing {
    /// Whose.
    pub owner: Party,
    /// The keys.
    pub keys: Vec<ApproverKey>,
}

/// Why a key isn't changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// There is no such key.
    #[error("key-unknown")]
    Unknown,
    /// He has enough.
    #[error("too-many-keys")]
    TooMany,
    /// It is not in the state for that: the one that it has.
    #[error("key-closed")]
    Closed(&'static str),
    /// Whoever approves a key is somebody else than its owner, works here, and is named by the tenant.
    #[error("not-an-approver")]
    NotAnApprover,
}

impl KeyRing {
    /// One without keys.
    pub fn of(owner: Party) -> Self {
        Self { owner, keys: Vec::new() }
    }

    /// With one key more: at once where nobody has to approve it. The oldest of those that are over may be forgotten for
    /// it.
    pub fn register(
        mut self,
        jwk: Jwk,
        name: String,
        must_be_approved: bool,
        now: Timestamp,
    ) -> Result<Self, KeyRefusal> {
        if self.keys.iter().filter(|key| key.state.is_live()).count() >= MOST_KEYS {
            return Err(KeyRefusal::TooMany);
        }
        while self.keys.len() >= MOST_KEPT {
            let Some(oldest) = self.keys.iter().position(|key| !key.state.is_live()) else { break };
            self.keys.remove(oldest);
        }
        let state =
            if must_be_approved { KeyState::Pending } else { KeyState::Active { since: now, approved_by: None } };
        self.keys.push(ApproverKey { kid: jwk.kid(), jwk, name, registered: now, state });
        Ok(self)
    }

    /// PENDING -> ACTIVE or DENIED, by somebody else than the owner.
    pub fn decide(
        mut self,
        kid: &Kid,
        voter: &Voter<'_>,
        approvers: &BTreeSet<Approver>,
        choice: Choice,
        now: Timestamp,
    ) -> Result<Self, KeyRefusal> {
        if !may_decide(&self.owner, voter, approvers) {
            return Err(KeyRefusal::NotAnApprover);
        }
        let key = self.key_mut(kid)?;
        if key.state != KeyState::Pending {
            return Err(KeyRefusal::Closed(key.state.name()));
        }
        let by = Party::of(voter.user);
        key.state = match choice {
            Choice::Approve => KeyState::Active { since: now, approved_by: Some(by) },
            Choice::Deny => KeyState::Denied { at: now, by },
        };
        Ok(self)
    }

    /// PENDING or ACTIVE -> REVOKED.
    pub fn revoke(mut self, kid: &Kid, now: Timestamp) -> Result<Self, KeyRefusal> {
        let key = self.key_mut(kid)?;
        if !key.state.is_live() {
            return Err(KeyRefusal::Closed(key.state.name()));
        }
        key.state = KeyState::Revoked { at: now };
        Ok(self)
    }

    /// The key of that name.
    pub fn key(&self, kid: &Kid) -> Option<&ApproverKey> {
        self.keys.iter().find(|key| &key.kid == kid)
    }

    /// The key that may sign for a challenge made at `issued`: one that was in use by then, `cooldown` included, so that
    /// nobody enrols a key to decide what already lies before him.
    pub fn signing_key(&self, kid: &str, issued: Timestamp, cooldown: SignedDuration) -> Result<&ApproverKey, Fault> {
        let kid = kid.parse().map_err(|_| Fault::KeyUnknown)?;
        let key = self.key(&kid).ok_or(Fault::KeyUnknown)?;
        let KeyState::Active { since, .. } = &key.state else { return Err(Fault::KeyNotActive) };
        let usable = since.saturating_add(cooldown).unwrap_or(Timestamp::MAX);
        if usable <= issued { Ok(key) } else { Err(Fault::KeyTooNew) }
    }

    fn key_mut(&mut self, kid: &Kid) -> Result<&mut ApproverKey, KeyRefusal> {
        self.keys.iter_mut().find(|key| &key.kid == kid).ok_or(KeyRefusal::Unknown)
    }
}

/// Whether he may approve keys of `owner`.
pub fn may_decide(owner: &Party, voter: &Voter<'_>, approvers: &BTreeSet<Approver>) -> bool {
    voter.user.is_active()
        && !voter.is_shared
        && !is_same(voter, owner)
        && is_named(approvers, &voter.user.id, voter.groups)
}

#[cfg(test)]
mod tests;
