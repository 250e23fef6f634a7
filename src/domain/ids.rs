//! Names and ids as types: whoever holds one knows that it was checked.

use std::{borrow::Borrow, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use icu_properties::props::{BinaryProperty as _, DefaultIgnorableCodePoint};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Longer than the bound (in characters).
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// Control, line-separator or bidirectional-override characters.
    #[error("must not contain control, invisible or bidirectional formatting characters")]
    Forbidden,
    /// `.`, `..` or `me`: they mean something else in a directory's URL.
    #[error("is a reserved word")]
    Reserved,
    /// Not of the form that this kind of id has.
    #[error("is not of the expected form")]
    Form,
}

/// True for characters that can make a text look like another one, or break a log line: controls, line separators, and
/// whatever isn't seen (Unicode's `Default_Ignorable_Code_Point`, interlinear annotation, the empty Braille pattern).
pub fn is_deceptive(c: char) -> bool {
    !matches!(c, ' '..='~')
        && (c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{2800}' | '\u{fff9}'..='\u{fffb}')
            || DefaultIgnorableCodePoint::for_char(c))
}

/// How many characters of the text can be seen.
pub fn visible(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace() && !is_deceptive(*c)).count()
}

/// Checks a text from outside: not empty, at most `max` characters, none of them deceptive.
pub fn plain_text(text: &str, max: usize) -> Result<&str, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > max && text.chars().count() > max {
        return Err(IdError::TooLong(max));
    }
    if text.chars().any(is_deceptive) {
        return Err(IdError::Forbidden);
    }
    Ok(text)
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and takes the text. Compared byte for byte ever after.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                plain_text(text, $max).map(|t| Self(t.to_owned()))
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

text_id!(
    /// A directory's immutable id of a user.
    UserId, 256
);
text_id!(
    /// A user's login name. Logins can change hands; decisions are made on [`UserId`].
    Login, 320
);
text_id!(
    /// An OAuth client.
    ClientId, 256
);
text_id!(
    /// A directory's id of a group.
    GroupId, 256
);
text_id!(
    /// What an application without OIDC calls itself: a URI or a host's name, compared exactly.
    ApplicationUri, 256
);
text_id!(
    /// An issuer identifier, compared exactly (OpenID Connect Discovery 4.3).
    Issuer, 512
);

/// A tenant's name: `[a-z0-9-]{1,40}`, because it is a hash tag, a metric label and a path segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantName(String);

impl TenantName {
    /// The name of the tenant that serves the bare routes.
    pub const DEFAULT: &str = "default";

    /// Checks and takes the name.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > 40 {
            return Err(IdError::TooLong(40));
        }
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.bytes().all(ok) { Ok(Self(text.to_owned())) } else { Err(IdError::Form) }
    }

    /// The tenant that serves the bare routes.
    pub fn default_tenant() -> Self {
        Self(Self::DEFAULT.to_owned())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TenantName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TenantName {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<TenantName> for String {
    fn from(name: TenantName) -> Self {
        name.0
    }
}

/// How a caller names a user: by immutable id, by login, or by one of the two without saying which.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserRef {
    /// By the directory's id.
    Id(UserId),
    /// By login.
    Login(Login),
    /// Id or login: a directory looks for the id first. The text is at most 320 characters.
    Either(Login),
}

impl UserRef {
    /// Takes an id or a login from outside. Words that a directory's URL gives another meaning (`me`, `.`, `..`)
    /// name nobody.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let login = Login::parse(text)?;
        if text == "." || text == ".." || text.eq_ignore_ascii_case("me") {
            return Err(IdError::Reserved);
        }
        Ok(Self::Either(login))
    }

    /// The text by which he is named.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::Login(login) | Self::Either(login) => login.as_str(),
        }
    }
}

/// What a record is found by: a time that keeps inserts local, and a hash (never the bearer secret itself).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// Milliseconds since 1970 for ids that carry their time, else 0.
    pub time: u64,
    /// SHA-256 of the id or of the natural key.
    pub hash: [u8; 32],
}

impl RecordId {
    /// Of a record with a natural key (a user, a name); parts can't run into each other.
    pub fn natural(parts: &[&str]) -> Self {
        let mut sha = Sha256::new();
        for part in parts {
            sha.update((part.len() as u64).to_be_bytes());
            sha.update(part.as_bytes());
        }
        Self { time: 0, hash: sha.finalize().into() }
    }

    /// Of another record about the same thing, in the order of `at`: what is written together lies together.
    #[must_use]
    pub fn since(self, at: Timestamp) -> Self {
        Self { time: u64::try_from(at.as_millisecond()).unwrap_or(0), ..self }
    }

    /// The 40 bytes: time, big-endian, then hash.
    pub fn to_bytes(self) -> [u8; 40] {
        let mut out = [0; 40];
        out[..8].copy_from_slice(&self.time.to_be_bytes());
        out[8..].copy_from_slice(&self.hash);
        out
    }

    /// The inverse of [`RecordId::to_bytes`].
    pub fn from_bytes(bytes: &[u8; 40]) -> Self {
        let (mut time, mut hash) = ([0; 8], [0; 32]);
        time.copy_from_slice(&bytes[..8]);
        hash.copy_from_slice(&bytes[8..]);
        Self { time: u64::from_be_bytes(time), hash }
    }
}

/// The prefix by which a delegation id is told from a client's own `state`.
pub const DELEGATION_PREFIX: &str = "dlg_";
/// The prefix of the public reference to a delegation, which is no secret.
pub const REFERENCE_PREFIX: &str = "dlr_";

/// A delegation's public id: `dlg_` + base64url(6-byte ms time ‖ 32 random bytes). A bearer secret: no `Debug`,
/// stored by hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct DelegationId {
    text: String,
    record: RecordId,
}

/// A bearer secret's text and where its record is: prefix, then base64url(6-byte ms time ‖ 32 random bytes).
pub(super) fn mint_bearer(prefix: &str, now: Timestamp, random: [u8; 32]) -> (String, RecordId) {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let mut raw = [0; 38];
    raw[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    raw[6..].copy_from_slice(&random);
    let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(raw));
    let record = bearer_record(&text, millis & 0xffff_ffff_ffff);
    (text, record)
}

/// Where the record of a bearer secret is; `None` for what is not of its exact form.
pub(super) fn parse_bearer(prefix: &str, text: &str) -> Option<RecordId> {
    let body = text.strip_prefix(prefix)?;
    if body.len() != 51 {
        return None;
    }
    // The decoder refuses stray trailing bits, so that one id has one spelling.
    let raw = URL_SAFE_NO_PAD.decode(body).ok()?;
    let mut time = [0; 8];
    time[2..].copy_from_slice(raw.get(..6)?);
    Some(bearer_record(text, u64::from_be_bytes(time)))
}

fn bearer_record(text: &str, time: u64) -> RecordId {
    RecordId { time, hash: Sha256::digest(text.as_bytes()).into() }
}

impl DelegationId {
    /// Makes an id from the time and 32 random bytes.
    pub fn mint(now: Timestamp, random: [u8; 32]) -> Self {
        let (text, record) = mint_bearer(DELEGATION_PREFIX, now, random);
        Self { text, record }
    }

    /// `None` for what is not of an id's exact form; such an id is unknown, not an error of its own.
    pub fn parse(text: &str) -> Option<Self> {
        let record = parse_bearer(DELEGATION_PREFIX, text)?;
        Some(Self { text: text.to_owned(), record })
    }

    /// The secret itself, for the one answer that hands it out.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Where the delegation is stored.
    pub fn record(&self) -> RecordId {
        self.record
    }
}

/// A delegation's reference: tells which delegation is meant to its owner, opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelegationRef(pub RecordId);

impl DelegationRef {
    /// Takes `dlr_…` as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let raw = URL_SAFE_NO_PAD.decode(text.strip_prefix(REFERENCE_PREFIX)?).ok()?;
        Some(Self(RecordId::from_bytes(&raw.try_into().ok()?)))
    }
}

impl fmt::Display for DelegationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{REFERENCE_PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0.to_bytes()))
    }
}

/// An audit event's id, `evt_` + base64url(6-byte ms time ‖ 10 random bytes).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventId(String);

impl EventId {
    /// Makes an id from the time and random bytes.
    pub fn mint(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let mut raw = [0; 16];
        raw[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        raw[6..].copy_from_slice(&random);
        Self(format!("evt_{}", URL_SAFE_NO_PAD.encode(raw)))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn a_delegation_id_has_its_form_and_carries_its_time() {
        let id = DelegationId::mint(at(1_700_000_000_123), [7; 32]);
        assert_eq!(id.expose().len(), 4 + 51);
        assert_eq!(id.record().time, 1_700_000_000_123);
        let again = DelegationId::parse(id.expose()).unwrap();
        assert_eq!(again.record(), id.record());
    }

    #[test]
    fn one_delegation_id_has_one_spelling() {
        let id = DelegationId::mint(at(1), [0xff; 32]);
        let (head, last) = id.expose().split_at(54);
        let twins = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
            .chars()
            .filter(|c| !last.starts_with(*c))
            .filter_map(|c| DelegationId::parse(&format!("{head}{c}")))
            .filter(|twin| twin.record().time == 1)
            .count();
        // 38 bytes end on a character that carries four of six bits: 15 other values, none a spelling of the same.
        assert_eq!(twins, 15);
        for bad in ["", "dlg_", "dlg_short", &id.expose()[1..], &format!("{}A", id.expose())] {
            assert!(DelegationId::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_reference_round_trips() {
        let reference = DelegationRef(DelegationId::mint(at(5), [3; 32]).record());
        assert_eq!(DelegationRef::parse(&reference.to_string()), Some(reference));
        assert_eq!(DelegationRef::parse("dlr_x"), None);
    }

    #[test]
    fn texts_that_deceive_are_refused() {
        for bad in ["", "a\0b", "a\u{202e}b", "a\nb", "x\u{2028}"] {
            assert!(UserId::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(UserId::parse(&"é".repeat(257)), Err(IdError::TooLong(256)));
        assert!(UserId::parse(&"é".repeat(256)).is_ok());
        for word in ["me", "ME", ".", ".."] {
            assert_eq!(UserRef::parse(word), Err(IdError::Reserved));
        }
    }

    #[test]
    fn what_is_not_seen_deceives() {
        let points = [
            0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b, 0x180e, 0x200b, 0x200d, 0x202e, 0x2028, 0x2029,
            0x2060, 0x206f, 0x2800, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0xfffb, 0xe0000, 0xe0041, 0xe0100,
            0xe0fff, 0x0, 0x7f, 0x85,
        ];
        for point in points {
            let c = char::from_u32(point).unwrap();
            assert!(is_deceptive(c), "U+{point:04X}");
            assert_eq!(visible(&format!("{c}a {c}b\u{a0}")), 2, "U+{point:04X}");
        }
        for c in [' ', 'a', '~', 'é', 'ß', '漢', 'ع', '😀', '\u{301}', '\u{a0}'] {
            assert!(!is_deceptive(c), "{c:?}");
        }
    }

    #[test]
    fn tenant_names_are_hash_tags() {
        assert!(TenantName::parse("acme-2").is_ok());
        for bad in ["", "Acme", "a_b", "a/b", "a}b", &"a".repeat(41)] {
            assert!(TenantName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn natural_keys_do_not_run_into_each_other() {
        assert_ne!(RecordId::natural(&["ab", "c"]), RecordId::natural(&["a", "bc"]));
    }
}
