//! Applications without OIDC. They prove who they are by a key that they share with us.

mod token;

use std::collections::BTreeSet;

use secrecy::{ExposeSecret as _, SecretSlice};

pub use self::token::{Accepted, Fault, JwtId, LEEWAY, LIFE, accept};
use super::{
    approval::Template,
    ids::{ApplicationUri, UserId},
};

/// The shortest key, bytes: as long as what HMAC-SHA-256 makes of it (RFC 7518, 3.2).
pub const LEAST_KEY: usize = 32;
/// The longest one.
pub const MOST_KEY: usize = 1024;
/// Keys that an application may have at a time: the present one, and the next or the former.
pub const MOST_KEYS: usize = 2;

/// A key that an application signs its tokens with. Its `Debug` shows nothing of it.
#[derive(Debug, Clone)]
pub struct ApplicationKey(SecretSlice<u8>);

impl ApplicationKey {
    /// `None` if it is too short to be a key, or longer than any is.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (LEAST_KEY..=MOST_KEY).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// The bytes, for who verifies by them.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

/// What an application may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Ask for approvals, and watch its own.
    Approvals,
    /// Ask whether an account is locked.
    LockCheck,
    /// Have one-time codes checked.
    Otp,
}

impl Right {
    /// How the configuration and refusals spell it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Approvals => "approvals",
            Self::LockCheck => "lock_check",
            Self::Otp => "otp",
        }
    }
}

/// A registered application.
#[derive(Debug, Clone)]
pub struct Application {
    /// What its tokens have in `iss`.
    pub uri: ApplicationUri,
    /// Its keys: one, or two while they are changed.
    pub keys: Vec<ApplicationKey>,
    /// What it may do.
    pub may: BTreeSet<Right>,
    /// The shared accounts as which people log in to it by one-time code.
    pub accounts: BTreeSet<UserId>,
    /// Who decides about what it asks for; there exactly if it may ask.
    pub approval: Option<Template>,
}
