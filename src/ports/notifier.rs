//! Ways to tell somebody. A way tries once, within bounds of its own; when to try again is the use case's business.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

/// Why nobody was told. The codes are ours; what the other side said is for the log, and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Another try may help.
    Passing {
        /// What went wrong, as a code.
        why: String,
        /// How long the other side asks to be left alone.
        wait: Option<SignedDuration>,
    },
    /// No other try will help.
    Lasting {
        /// What went wrong, as a code.
        why: String,
    },
    /// The receiver is gone and wants nothing any more.
    Gone,
}

impl Failure {
    /// Another try may help.
    pub fn passing(why: impl Into<String>) -> Self {
        Self::Passing { why: why.into(), wait: None }
    }

    /// No other try will help.
    pub fn lasting(why: impl Into<String>) -> Self {
        Self::Lasting { why: why.into() }
    }
}

/// What a webhook is sent.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// The same at every try of the same notification.
    pub id: &'a str,
    /// When this try was made.
    pub at: Timestamp,
    /// JSON.
    pub body: &'a str,
}

/// A webhook. `Ok`: the receiver answered that it has it.
#[async_trait]
pub trait Webhook: Send + Sync + 'static {
    /// One try.
    async fn post(&self, post: Post<'_>) -> Result<(), Failure>;
}

/// What an e-mail consists of.
#[derive(Debug, Clone, Copy)]
pub struct Mail<'a> {
    /// The same at every try of the same notification.
    pub id: &'a str,
    /// When this try was made.
    pub at: Timestamp,
    /// The address, as the directory has it.
    pub to: &'a str,
    /// One line.
    pub subject: &'a str,
    /// Plain text, lines end with CR LF.
    pub text: &'a str,
}

/// A mail server. `Ok`: it took the message.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// One try.
    async fn mail(&self, mail: Mail<'_>) -> Result<(), Failure>;
}
