//! Why nothing was done about an approval. Each has a stable code.

use crate::domain::approval::Refusal;

/// The refusals that the caller is told exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too few people could decide.
    #[error("this takes the votes of {quorum}, and besides those whom it is about only {able} could decide")]
    NoApprovers {
        /// How many there are.
        able: usize,
        /// How many it takes.
        quorum: u8,
    },
    /// The rule wants a reason.
    #[error("this needs an approval, and for that a `reason`")]
    ReasonRequired,
    /// The rule wants a ticket.
    #[error("this needs an approval, and for that a `ticket`")]
    TicketRequired,
    /// The request is too large to be read by a person.
    #[error("the request is too long to be approved; ask for fewer scopes, in fewer words")]
    TooLong,
    /// The rule wants a signature.
    #[error("this approval takes a signature")]
    SignatureRequired,
    /// The rule wants a signature of another level.
    #[error("this approval doesn't take a signature of that level; its `template.signatures` says which it takes")]
    SignatureLevel,
    /// The proof was used, or revoked, meanwhile.
    #[error("the challenge or the key was used up or revoked meanwhile; begin the signature again")]
    ProofSpent,
    /// He sees the request, and may not decide.
    #[error("you can't decide about this request")]
    NotAnApprover,
    /// He sees the request, and this is not his to do.
    #[error("this is the business of {0}")]
    NotYours(&'static str),
    /// It is decided, or over.
    #[error("{}", closed(.0))]
    Closed(&'static str),
    /// There is nothing yet that could be revoked.
    #[error("the approval is PENDING: withdraw it, or vote against it")]
    StillPending,
    /// He saw another version.
    #[error("the request has another version now; read it again")]
    VersionChanged,
    /// One person counts once.
    #[error("you have voted already")]
    AlreadyVoted,
    /// The store may have rolled back since.
    #[error("the store may have rolled back since this was asked for; it must be asked for again")]
    EpochChanged,
    /// The votes so far leave no room for this comment.
    #[error("there is no room for this comment beside the others")]
    NoRoom,
    /// The requester has too many open requests.
    #[error("too many open requests (at most {limit}); the next one is possible in {retry_after} s")]
    TooManyOpen {
        /// The cap.
        limit: usize,
        /// Seconds until one of them ends at the latest.
        retry_after: u64,
    },
    /// Too many are waiting for changes.
    #[error("too many requests wait for changes already (at most {limit})")]
    TooManyWatchers {
        /// The bound that was met.
        limit: usize,
    },
    /// He may not skip votes.
    #[error("this needs the role for emergencies")]
    NoBreakGlass,
    /// Who skips votes says why.
    #[error("`break_glass.reason` needs at least {0} characters besides spaces")]
    BreakGlassReason(usize),
    /// Nobody reviews his own emergency.
    #[error("this was your own request: somebody else reviews it")]
    OwnReview,
    /// Somebody was faster.
    #[error("the review is closed already")]
    ReviewClosed,
}

fn closed(state: &str) -> String {
    match state {
        "APPROVED" | "ACTIVE" => format!("the approval is decided already: it is {state}"),
        _ => format!("the approval is {state}"),
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ineligible(_) => Self::NotAnApprover,
            Refusal::Closed(state) => Self::Closed(state),
            Refusal::VersionChanged => Self::VersionChanged,
            Refusal::AlreadyVoted => Self::AlreadyVoted,
            Refusal::SignatureRequired => Self::SignatureRequired,
            Refusal::SignatureLevel => Self::SignatureLevel,
        }
    }
}

/// What kind of no it is; the web makes a status of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Something is missing in what was sent.
    Incomplete,
    /// Not this caller.
    Forbidden,
    /// Not in the state things are in.
    Conflict,
    /// Not so many.
    TooMany,
}

impl Refused {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoApprovers { .. } => "no-approvers",
            Self::ReasonRequired => "reason-required",
            Self::TicketRequired => "ticket-required",
            Self::TooLong => "request-too-long",
            Self::SignatureRequired => "signature-required",
            Self::SignatureLevel => "signature-level",
            Self::ProofSpent => "signature-spent",
            Self::NotAnApprover => "not-an-approver",
            Self::NotYours(_) => "not-yours",
            Self::Closed(_) => "approval-closed",
            Self::StillPending => "approval-pending",
            Self::VersionChanged => "version-changed",
            Self::AlreadyVoted => "already-voted",
            Self::EpochChanged => "epoch-changed",
            Self::NoRoom => "no-room",
            Self::TooManyOpen { .. } => "too-many-open",
            Self::TooManyWatchers { .. } => "too-many-watchers",
            Self::NoBreakGlass => "break-glass-role",
            Self::BreakGlassReason(_) => "break-glass-reason",
            Self::OwnReview => "own-review",
            Self::ReviewClosed => "review-closed",
        }
    }

    /// What kind of no it is.
    pub fn sort(self) -> Sort {
        match self {
            Self::NoApprovers { .. }
            | Self::ReasonRequired
            | Self::TicketRequired
            | Self::TooLong
            | Self::SignatureRequired
            | Self::SignatureLevel
            | Self::NoRoom
            | Self::BreakGlassReason(_) => Sort::Incomplete,
            Self::NotAnApprover | Self::NotYours(_) | Self::NoBreakGlass | Self::OwnReview => Sort::Forbidden,
            Self::ProofSpent
            | Self::Closed(_)
            | Self::StillPending
            | Self::VersionChanged
            | Self::AlreadyVoted
            | Self::EpochChanged
            | Self::ReviewClosed => Sort::Conflict,
            Self::TooManyOpen { .. } | Self::TooManyWatchers { .. } => Sort::TooMany,
        }
    }

    /// The state that it has, where that is why.
    pub fn state(self) -> Option<&'static str> {
        match self {
            Self::Closed(state) => Some(state),
            Self::StillPending => Some("PENDING"),
            _ => None,
        }
    }

    /// Seconds after which another try makes sense.
    pub fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooManyOpen { retry_after, .. } => Some(retry_after),
            Self::TooManyWatchers { .. } => Some(5),
            _ => None,
        }
    }
}
