//! One-time codes (RFC 6238): a user's own, with which he logs in elsewhere as a shared account that he reserved.

mod attempts;
mod enrolment;
mod sealed;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretBox};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

pub use self::{
    attempts::{Attempts, LOCKED_FOR, MOST_FAILURES, WINDOW},
    enrolment::{CONFIRM_WITHIN, Confirmed, Enrolment, MOST_WRONG, Pending, Unconfirmed},
    sealed::{OtpKey, OtpKeys, Sealed},
};

/// Bytes of a secret (RFC 4226, 4: at least 16, better 20).
pub const SECRET_BYTES: usize = 20;
/// Digits of a code: what authenticators show.
pub const DIGITS: u32 = 6;
/// Seconds of a time step.
pub const STEP_SECONDS: u64 = 30;
/// Steps before and after the present one whose codes count: clocks differ, people are slow.
const DRIFT: u64 = 1;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What an authenticator keeps. Its `Debug` shows nothing of it.
#[derive(Debug)]
pub struct Secret(SecretBox<[u8; SECRET_BYTES]>);

impl Secret {
    /// Of random bytes.
    pub fn new(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    fn bytes(&self) -> &[u8; SECRET_BYTES] {
        self.0.expose_secret()
    }

    /// The text that people may type (RFC 4648, 6; its length needs no padding).
    pub fn base32(&self) -> String {
        let five_bits = |chunk: &[u8]| {
            let bits = chunk.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            (0..8).rev().map(move |at| char::from(BASE32[usize::try_from(bits >> (5 * at) & 31).unwrap_or(0)]))
        };
        self.bytes().chunks(5).flat_map(five_bits).collect()
    }
}

/// A code that somebody typed: exactly six digits.
#[derive(Clone, Copy, Default)]
pub struct Code(u32);

impl Code {
    /// `None` for what is no code.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == DIGITS as usize && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().map(Self)
    }
}

/// The number of a time step; each counts once.
pub fn step_at(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or(0) / STEP_SECONDS
}

/// The step of the code, if it is good now and greater than `last`. It takes the same time whatever the code is.
pub fn accepted(secret: &Secret, code: Code, now: Timestamp, last: Option<u64>) -> Option<u64> {
    let present = step_at(now);
    let mut found = 0;
    for step in present.saturating_sub(DRIFT)..=present.saturating_add(DRIFT) {
        let same = (truncated(secret.bytes(), step) % 10_u32.pow(DIGITS)).ct_eq(&code.0);
        found.conditional_assign(&step, same);
    }
    Some(found).filter(|step| *step > last.unwrap_or(0))
}

/// The 31 bits that a code's digits are taken from (RFC 4226, 5.3).
fn truncated(secret: &[u8], counter: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let mac = tag.as_ref();
    let offset = usize::from(mac.last().copied().unwrap_or(0) & 15);
    let four = mac.iter().skip(offset).take(4);
    four.fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) & 0x7fff_ffff
}

#[cfg(test)]
mod tests;
