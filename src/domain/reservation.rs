//! The exclusive, single-use, short hold of a shared account.
//!
//! One [`Slot`] for each account holds its present or last reservation: exclusivity is that record's version. What was
//! before stands in the audit trail. Every change names the reservation's generation, which never comes again, so that
//! whoever is late with an old one ends nothing new.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::names::{REFERENCE_PREFIX, ReservationRef, ReservationSecret, SECRET_PREFIX, SecretHash};
use super::{
    delegation::{Consumption, Party},
    hook::Fingerprint,
    ids::{RecordId, UserId},
    reason::Reason,
};

mod names;

/// A shared account's place for a reservation. AVAILABLE is the absence of one that is HELD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The shared account.
    pub account: Party,
    /// The generation given out last; 0: none yet.
    pub generation: u64,
    /// The reservation of that generation: held, or ended until the next one takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Reservation>,
}

/// One reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Which one of this account.
    pub generation: u64,
    /// Who holds it.
    pub holder: Party,
    /// Hash of the secret that a direct login carries; `None` for one that was made by an initiation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretHash>,
    /// The store's epoch when it was made.
    pub epoch: u64,
    /// When it was made.
    pub created: Timestamp,
    /// The first instant at which it can't be used any more.
    pub expires: Timestamp,
    /// Where it stands.
    pub state: State,
}

/// Where a reservation stands. HELD -> one of the others, and never back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Exclusive, waits for its use.
    Held,
    /// Used by one hook.
    Consumed(Consumption),
    /// Its time ran out.
    Expired {
        /// When that was written down.
        at: Timestamp,
    },
    /// The holder gave it back.
    Released {
        /// When.
        at: Timestamp,
    },
    /// An administrator took it away.
    ForceReleased {
        /// When.
        at: Timestamp,
        /// Who.
        by: Party,
        /// Why, in his words.
        reason: String,
    },
    /// Account or holder lost what it rests on, or the store may have rolled back.
    Invalidated {
        /// When.
        at: Timestamp,
        /// What was lost.
        why: Reason,
    },
}

impl State {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Consumed(_) => "CONSUMED",
            Self::Expired { .. } => "EXPIRED",
            Self::Released { .. } => "RELEASED",
            Self::ForceReleased { .. } => "FORCE_RELEASED",
            Self::Invalidated { .. } => "INVALIDATED",
        }
    }
}

/// What a new reservation is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Who wants it.
    pub holder: Party,
    /// Hash of the secret, if it is good for a direct login.
    pub secret: Option<SecretHash>,
    /// The first instant at which it can't be used any more.
    pub expires: Timestamp,
}

/// A reservation was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The slot with it.
    pub slot: Slot,
    /// The one before it, if this ended it: it had run out, or was void. It has an event of its own.
    pub ended: Option<Reservation>,
}

impl Reservation {
    /// True while it is exclusive and can be used: held, of this epoch, and now < `expires`.
    pub fn is_alive(&self, epoch: u64, now: Timestamp) -> bool {
        self.state == State::Held && self.epoch == epoch && now < self.expires
    }

    /// What it became without anybody's doing; `None` if it stands, or ended otherwise.
    fn lapsed(&self, epoch: u64, now: Timestamp) -> Option<Self> {
        if self.state != State::Held {
            return None;
        }
        let state = if now >= self.expires {
            State::Expired { at: now }
        } else if self.epoch < epoch {
            // One of a later epoch than who looks has read of isn't void: he is late.
            State::Invalidated { at: now, why: Reason::EpochChanged }
        } else {
            return None;
        };
        Some(Self { state, ..self.clone() })
    }
}

impl Slot {
    /// The place of an account that nobody has reserved yet.
    pub fn empty(account: Party) -> Self {
        Self { account, generation: 0, current: None }
    }

    /// Where an account's slot is stored.
    pub fn record_of(account: &UserId) -> RecordId {
        RecordId::natural(&["reservation", account.as_str()])
    }

    /// The public reference of its reservation; of an empty slot, one that names nothing.
    pub fn reference(&self) -> ReservationRef {
        ReservationRef { slot: Self::record_of(&self.account.id), generation: self.generation }
    }

    /// The reservation that makes the account somebody's, now.
    pub fn held(&self, epoch: u64, now: Timestamp) -> Option<&Reservation> {
        self.current.as_ref().filter(|it| it.is_alive(epoch, now))
    }

    /// Whether `holder` can use the account now, by the reservation that is in the slot.
    pub fn usable(&self, holder: &UserId, epoch: u64, now: Timestamp) -> Result<(), Reason> {
        let Some(current) = &self.current else { return Err(Reason::ReservationMissing) };
        let his = &current.holder.id == holder;
        match current.state {
            State::Held if now >= current.expires => {}
            State::Held if current.epoch != epoch => return Err(Reason::EpochChanged),
            State::Held if his => return Ok(()),
            State::Held => return Err(Reason::Reserved),
            _ => {}
        }
        Err(if his { Reason::ReservationGone } else { Reason::ReservationMissing })
    }

    /// Makes a reservation of the next generation, unless one stands. The generation is a time in milliseconds where
    /// that is greater, so that none comes again after the store was put back.
    pub fn reserve(self, wish: Wish, epoch: u64, now: Timestamp) -> Result<Made, Reason> {
        if self.held(epoch, now).is_some() {
            return Err(Reason::Reserved);
        }
        let ended = self.current.as_ref().and_then(|it| it.lapsed(epoch, now));
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let generation = millis.max(self.generation.saturating_add(1));
        let Wish { holder, secret, expires } = wish;
        let current = Reservation { generation, holder, secret, epoch, created: now, expires, state: State::Held };
        Ok(Made { slot: Self { generation, current: Some(current), ..self }, ended })
    }

    /// HELD -> CONSUMED, by its holder.
    pub fn consume(
        self,
        generation: u64,
        holder: &UserId,
        by: Fingerprint,
        epoch: u64,
        now: Timestamp,
    ) -> Result<Self, Reason> {
        self.must_be(generation)?;
        self.usable(holder, epoch, now)?;
        self.end(State::Consumed(Consumption { at: now, by }))
    }

    /// HELD -> RELEASED, by its holder.
    pub fn release(self, generation: u64, holder: &UserId, epoch: u64, now: Timestamp) -> Result<Self, Reason> {
        self.must_be(generation)?;
        self.usable(holder, epoch, now)?;
        self.end(State::Released { at: now })
    }

    /// HELD -> `FORCE_RELEASED`, by an administrator.
    pub fn force_release(
        self,
        generation: u64,
        by: Party,
        reason: String,
        epoch: u64,
        now: Timestamp,
    ) -> Result<Self, Reason> {
        self.must_be(generation)?;
        if self.held(epoch, now).is_none() {
            return Err(Reason::ReservationGone);
        }
        self.end(State::ForceReleased { at: now, by, reason })
    }

    /// HELD -> INVALIDATED, because account or holder lost what it rests on.
    pub fn invalidate(self, generation: u64, why: Reason, epoch: u64, now: Timestamp) -> Result<Self, Reason> {
        self.must_be(generation)?;
        if self.held(epoch, now).is_none() {
            return Err(Reason::ReservationGone);
        }
        self.end(State::Invalidated { at: now, why })
    }

    /// HELD -> EXPIRED once its time has run out, -> INVALIDATED if it is of another epoch; `None` if there is nothing
    /// to do.
    pub fn lapse(&self, epoch: u64, now: Timestamp) -> Option<Self> {
        let ended = self.current.as_ref()?.lapsed(epoch, now)?;
        Some(Self { current: Some(ended), ..self.clone() })
    }

    fn must_be(&self, generation: u64) -> Result<(), Reason> {
        match &self.current {
            Some(current) if current.generation == generation => Ok(()),
            _ => Err(Reason::ReservationGone),
        }
    }

    fn end(mut self, state: State) -> Result<Self, Reason> {
        self.current.as_mut().ok_or(Reason::ReservationGone)?.state = state;
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
