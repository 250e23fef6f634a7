//! Telling people: a reader of the outbox makes notifications, senders try them until they are taken or given up.
//!
//! The reader moves its cursor in the commit that writes what it made: each event becomes notifications once. A sender
//! records a try after it: somebody may be told twice, never not at all without a trace.

pub mod deliveries;
pub mod make;
pub mod records;
pub mod send;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::past::Place;
use crate::{
    domain::notice::Channel,
    ports::notifier::{Mailer, Webhook},
};

/// A way to tell somebody.
pub enum Way {
    /// A webhook.
    Webhook(Arc<dyn Webhook>),
    /// E-mail, to the address in that attribute of the user.
    Email {
        /// The mail server.
        mailer: Arc<dyn Mailer>,
        /// The directory's attribute with the address.
        attribute: String,
    },
}

/// A way, and what goes through it.
pub struct Outlet {
    /// Its name.
    pub channel: Channel,
    /// How it sends.
    pub way: Way,
    kinds: BTreeSet<String>,
    gone: AtomicBool,
    /// Where its sender goes on in what is due.
    place: Mutex<Place>,
}

impl Outlet {
    /// One through which events of these types go.
    pub fn new(channel: Channel, way: Way, kinds: BTreeSet<String>) -> Self {
        Self { channel, way, kinds, gone: AtomicBool::new(false), place: Mutex::default() }
    }

    /// True if events of this type go through it.
    pub fn takes(&self, kind: &str) -> bool {
        self.kinds.contains(kind)
    }

    /// True once its receiver has said that it wants nothing any more. A restart asks it again.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Where the next look at what is due begins.
    pub(super) fn place(&self) -> Place {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It begins there.
    pub(super) fn go_on_at(&self, place: Place) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// Its receiver wants nothing any more. True for the first who says so.
    pub(super) fn is_gone_now(&self) -> bool {
        !self.gone.swap(true, Ordering::Relaxed)
    }
}

/// A tenant's ways.
pub struct Outlets {
    /// All of them.
    pub all: Vec<Outlet>,
    /// Below this people look things up.
    pub base_url: String,
}
