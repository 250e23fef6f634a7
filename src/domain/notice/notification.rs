//! One notification: one event, one recipient, one channel; from its making to its delivery or its end.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Facts, Role};
use crate::domain::ids::{RecordId, UserId};

/// What is waited for after the first, second, … failure. After one more it is dead.
const WAITS: [SignedDuration; 7] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(10),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(6),
    SignedDuration::from_hours(24),
];
/// A receiver's `Retry-After` is respected up to this.
const MOST_PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// A notification's id: `ntf_` and where its record lies. The same at every try, so that receivers can tell repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotificationId(pub RecordId);

impl NotificationId {
    /// Follows from what it is about, so that making it twice makes one.
    pub fn of(facts: &Facts, channel: &Channel, user: Option<&UserId>) -> Self {
        let user = user.map(UserId::as_str).unwrap_or_default();
        let id = RecordId::natural(&["notification", facts.event.as_str(), &channel.to_string(), user]);
        Self(id.since(facts.time))
    }

    /// Takes what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let raw = URL_SAFE_NO_PAD.decode(text.strip_prefix("ntf_")?).ok()?;
        Some(Self(RecordId::from_bytes(&raw.try_into().ok()?)))
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ntf_{}", URL_SAFE_NO_PAD.encode(self.0.to_bytes()))
    }
}

/// Through what somebody is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The webhook of that name.
    Webhook(String),
    /// E-mail.
    Email,
    /// Nothing: nobody could be found whom to tell.
    Nobody,
}

impl Channel {
    /// The word for metrics, which know no names.
    pub fn sort(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Email => "email",
            Self::Nobody => "nobody",
        }
    }

    /// The webhook's name, if it is one.
    pub fn webhook(&self) -> Option<&str> {
        match self {
            Self::Webhook(name) => Some(name),
            Self::Email | Self::Nobody => None,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(name) => write!(f, "webhook:{name}"),
            other => f.write_str(other.sort()),
        }
    }
}

/// A person who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Why him.
    pub role: Role,
    /// Who.
    pub user: UserId,
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// To be tried, not before `next`.
    Waiting {
        /// When.
        next: Timestamp,
    },
    /// The channel took it.
    Sent {
        /// When.
        at: Timestamp,
    },
    /// Given up.
    Dead {
        /// When.
        at: Timestamp,
    },
    /// There is no address to send it to.
    Unreachable {
        /// When that was found out.
        at: Timestamp,
    },
}

impl State {
    /// Every state's name.
    pub const NAMES: [&'static str; 4] = ["waiting", "sent", "dead", "unreachable"];

    /// As the API and records have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Sent { .. } => "sent",
            Self::Dead { .. } => "dead",
            Self::Unreachable { .. } => "unreachable",
        }
    }
}

/// The last try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// When.
    pub at: Timestamp,
    /// What went wrong, as a code; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// To which address, most of it hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Mask>,
}

/// An e-mail address of which only the first letter and the domain are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mask(String);

impl Mask {
    /// Hides most of the address.
    pub fn of(address: &str) -> Self {
        let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
        let first: String = local.chars().take(1).collect();
        Self(format!("{first}***@{domain}"))
    }

    /// What may be shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A notification before it stands.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Of what.
    pub facts: Facts,
    /// Through what.
    pub channel: Channel,
    /// To whom; `None` for a webhook.
    pub recipient: Option<Recipient>,
    /// Others who are told by the same way of the same, if no webhook is told of it.
    pub alone_with: Option<Vec<UserId>>,
}

/// A notification as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Of what.
    pub facts: Facts,
    /// Through what.
    pub channel: Channel,
    /// To whom; `None` for a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
    /// Others who are told by the same way of the same, if no webhook is told of it: if none of them can be reached,
    /// nobody can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone_with: Option<Vec<UserId>>,
    /// When it was made.
    pub made: Timestamp,
    /// Tries that failed, since it was made or asked for again.
    pub failures: usize,
    /// The last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Tried>,
    /// Where it stands.
    pub state: State,
}

impl Notification {
    /// A new one, to be tried at once.
    pub fn open(opening: Opening, now: Timestamp) -> Self {
        let Opening { facts, channel, recipient, alone_with } = opening;
        let state = match &channel {
            Channel::Nobody => State::Unreachable { at: now },
            Channel::Webhook(_) | Channel::Email => State::Waiting { next: now },
        };
        Self { facts, channel, recipient, alone_with, made: now, failures: 0, last: None, state }
    }

    /// Its id.
    pub fn id(&self) -> NotificationId {
        let user = self.recipient.as_ref().map(|recipient| &recipient.user);
        NotificationId::of(&self.facts, &self.channel, user)
    }

    /// True if it is to be tried now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Waiting { next } if next <= now)
    }

    /// The channel took it.
    #[must_use]
    pub fn sent(mut self, address: Option<Mask>, now: Timestamp) -> Self {
        self.last = Some(Tried { at: now, why: None, address });
        self.state = State::Sent { at: now };
        self
    }

    /// A try failed; the next one comes later, if there is one. `jitter` is random; `wait` is what the receiver asks.
    #[must_use]
    pub fn failed(self, why: &str, wait: Option<SignedDuration>, jitter: u8, now: Timestamp) -> Self {
        let Some(base) = WAITS.get(self.failures) else { return self.dead(why, now) };
        // Between 90 and 110 percent, so that what failed together doesn't come back together.
        let share = 900 + i32::from(jitter) * 200 / 255;
        let wait = wait.unwrap_or(SignedDuration::ZERO).min(MOST_PATIENCE).max(*base * share / 1000);
        let next = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.tried(why, now, State::Waiting { next })
    }

    /// It is given up.
    #[must_use]
    pub fn dead(self, why: &str, now: Timestamp) -> Self {
        self.tried(why, now, State::Dead { at: now })
    }

    /// There is no address.
    #[must_use]
    pub fn unreachable(self, why: &str, now: Timestamp) -> Self {
        self.tried(why, now, State::Unreachable { at: now })
    }

    /// From the beginning, on an administrator's word; `None` unless it was given up.
    pub fn again(mut self, now: Timestamp) -> Option<Self> {
        let over = matches!(self.state, State::Dead { .. } | State::Unreachable { .. });
        if !over || self.channel == Channel::Nobody {
            return None;
        }
        self.failures = 0;
        self.state = State::Waiting { next: now };
        Some(self)
    }

    fn tried(mut self, why: &str, now: Timestamp, state: State) -> Self {
        self.failures = self.failures.saturating_add(1);
        self.last = Some(Tried { at: now, why: Some(why.to_owned()), address: None });
        self.state = state;
        self
    }
}
