//! What was granted: codes that wait for their exchange, and refresh tokens.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::DevUser;

/// How long a code can be exchanged.
const CODE_LIFE: SignedDuration = SignedDuration::from_secs(60);

/// The request that a user signed in with, as the hook is told of it.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: DevUser,
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    /// The whole URL, with its query.
    pub(super) url: String,
    pub(super) at: Timestamp,
}

/// A code that waits.
pub(super) struct PendingCode {
    pub(super) login: Login,
    pub(super) challenge: Option<String>,
}

/// A refresh token: the first login, and the id that stays the same when the token is rotated.
#[derive(Clone)]
pub(super) struct Refresh {
    pub(super) login: Login,
    pub(super) id: String,
}

#[derive(Default)]
pub(super) struct Grants {
    codes: HashMap<String, PendingCode>,
    refresh: HashMap<String, Refresh>,
    /// Rotated tokens, and whose they were: using one again ends its family (RFC 9700, 4.14.2).
    used: HashMap<String, String>,
}

impl Grants {
    pub(super) fn add_code(&mut self, code: String, pending: PendingCode) {
        self.codes.insert(code, pending);
    }

    /// Takes a code: it is good once.
    pub(super) fn take_code(&mut self, code: &str, now: Timestamp) -> Option<PendingCode> {
        self.codes.remove(code).filter(|pending| now.duration_since(pending.login.at) < CODE_LIFE)
    }

    pub(super) fn add_refresh(&mut self, token: String, refresh: Refresh) {
        self.refresh.insert(token, refresh);
    }

    pub(super) fn refresh(&mut self, token: &str) -> Option<Refresh> {
        if let Some(family) = self.used.get(token) {
            self.refresh.retain(|_, refresh| refresh.id != *family);
            return None;
        }
        self.refresh.get(token).cloned()
    }

    /// Puts `new` in place of `old`; false if somebody else did so first.
    pub(super) fn rotate(&mut self, old: &str, new: String) -> bool {
        let Some(refresh) = self.refresh.remove(old) else { return false };
        self.used.insert(old.to_owned(), refresh.id.clone());
        self.refresh.insert(new, refresh);
        true
    }
}
