//! Why a use case did not do what it was asked. Two audiences: the caller, and our log.

use jiff::Timestamp;

use crate::{
    domain::{
        ids::Login,
        reason::{Public, Reason},
    },
    ports::{directory::DirectoryError, store::StoreError},
};

/// The answer of a use case that did not succeed. The private half of `Failed` reaches the log only.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A decision: no.
    #[error("refused: {}", .0.code())]
    Refused(Reason),
    /// A field of the request is no good.
    #[error("{field} {problem}")]
    Invalid {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it, to follow the name.
        problem: String,
    },
    /// There is no such thing, or it isn't the caller's.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The caller has too many of them already.
    #[error("too many pending delegations (at most {limit}); the next one is possible in {retry_after} s")]
    TooManyPending {
        /// The cap.
        limit: usize,
        /// Seconds until one of them ends.
        retry_after: u64,
    },
    /// Only an administrator may.
    #[error("this needs the administrator's role")]
    AdministratorOnly,
    /// The caller's own account can't have agents.
    #[error("your account can't be delegated: it isn't active, or isn't of the type that can be")]
    CannotDelegate,
    /// One-time codes.
    #[error(transparent)]
    Otp(#[from] super::otp::OtpError),
    /// A request with a key isn't worked on.
    #[error(transparent)]
    Repeated(#[from] crate::domain::idempotency::Repeated),
    /// It can't be done in the state things are in.
    #[error("the delegation is {0}")]
    NotPending(&'static str),
    /// A signature doesn't count.
    #[error(transparent)]
    Signature(#[from] crate::domain::approval::signature::Fault),
    /// A key can't be registered or changed in this way.
    #[error(transparent)]
    Key(#[from] super::keys::KeyRefused),
    /// An approval can't be had, decided or ended in this way.
    #[error(transparent)]
    Approval(#[from] super::approvals::Refused),
    /// The account is held.
    #[error("this account is reserved until {until}{}", .holder.as_ref().map(|who| format!(" by {who}")).unwrap_or_default())]
    Reserved {
        /// The first instant at which it is free, unless it is before.
        until: Timestamp,
        /// By whom (his login), where the caller may know.
        holder: Option<Login>,
        /// Seconds until then.
        retry_after: u64,
    },
    /// The caller holds as many accounts as he may.
    #[error("you hold as many reservations as you may (at most {limit}); release one first")]
    TooManyHeld {
        /// The cap.
        limit: usize,
        /// Seconds until one of them ends.
        retry_after: u64,
    },
    /// It can't be reserved for that long.
    #[error("{problem}")]
    NoSuchHold {
        /// What would be possible.
        problem: String,
    },
    /// The reservation has ended.
    #[error("the reservation is {0}")]
    NotHeld(&'static str),
    /// Only what was given up can be tried again.
    #[error("the notification is {0}; only one that was given up can be tried again")]
    NotGivenUp(&'static str),
    /// Our failure.
    #[error("failed: {}: {internal}", .reason.code())]
    Failed {
        /// Which kind of failure.
        reason: Reason,
        /// For the log.
        internal: String,
    },
}

impl AppError {
    /// What the outside may know of a refusal or failure.
    pub fn public(&self) -> Option<Public> {
        match self {
            Self::Refused(reason) | Self::Failed { reason, .. } => Some(reason.public()),
            _ => None,
        }
    }

    /// The reason of a refusal that is told as one of an initiation.
    pub fn refusal(&self) -> Option<Reason> {
        match self {
            Self::Refused(reason) => Some(*reason),
            Self::Reserved { .. } => Some(Reason::Reserved),
            _ => None,
        }
    }
}

/// A refusal, or a failure where the reason is one.
impl From<Reason> for AppError {
    fn from(reason: Reason) -> Self {
        if reason.is_failure() { Self::Failed { reason, internal: String::new() } } else { Self::Refused(reason) }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        Self::Failed { reason: reason_of(&error), internal: error.to_string() }
    }
}

/// The reason of a decision that the store prevented.
pub fn reason_of(error: &StoreError) -> Reason {
    match error {
        StoreError::Unreadable(_) => Reason::StoreUnreadable,
        StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::RolledBack => Reason::StoreUnavailable,
    }
}

impl From<DirectoryError> for AppError {
    fn from(error: DirectoryError) -> Self {
        Self::Failed { internal: error.to_string(), reason: error.into() }
    }
}
