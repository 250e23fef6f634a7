//! What an approver decides about, as the bytes that a signature binds to: `approval-binding`, version 1.
//!
//! It is made by the service from what it knows by itself, never from a client's labels, and written down once in
//! canonical JSON (RFC 8785). The SHA-256 of these bytes is the request's digest.

use std::{collections::BTreeSet, ops::RangeInclusive};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    canonical::canonical,
    chain::{Digest, FormError},
    delegation::Party,
    ids::{ApplicationUri, ClientId, Issuer, TenantName, is_deceptive},
    text::is_nfc,
};

/// `typ` of the object.
const TYP: &str = "approval-binding";
/// Numbers that every reader of JSON has exactly.
const EXACT: RangeInclusive<u64> = 0..=(1 << 53) - 1;
/// The most bytes that a request may have, so that it and its votes fit a record.
pub const MOST_BYTES: usize = 16 * 1024;

/// Why there is nothing that could be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// A text that can be spelled in two ways is spelled in the other one.
    #[error("{0} is not in Unicode normalization form C")]
    NotNormalized(String),
    /// A text that could be shown as another one.
    #[error("{0} has control, invisible or bidirectional formatting characters")]
    Deceptive(String),
    /// A number that not every reader takes for the same.
    #[error("{0} is no whole number from 0 to 2^53 - 1")]
    Number(String),
    /// `null` says nothing that could be approved.
    #[error("{0} is null")]
    Null(String),
    /// Too much to be read by a person, or to be kept.
    #[error("the request is longer than {MOST_BYTES} bytes")]
    TooLong,
    /// Not the object that it should be, or not in its one spelling.
    #[error("the request {0}")]
    Form(#[from] FormError),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A delegation: the requester wants to act on behalf of the subject.
    #[serde(rename = "delegation.grant")]
    Delegation,
    /// What an application calls it: the service does nothing by it.
    #[serde(rename = "application.request")]
    Application,
}

/// The rule's template at the time of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateRef {
    /// The rule's name.
    pub id: String,
    /// The version of the form in which the digest was made.
    pub version: u64,
    /// What tells it from every other template.
    pub digest: Digest,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its number.
    pub id: String,
    /// Where it is kept, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
}

/// The request, field by field. What isn't known is left out: the object has no `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Whose.
    pub tenant: TenantName,
    /// The approval's id.
    pub request_id: String,
    /// The version of its content.
    pub request_version: u64,
    /// What is asked for.
    pub action: Action,
    /// Who asks.
    pub requester: Party,
    /// On whose behalf.
    pub subject: Party,
    /// Through which client.
    pub client_id: ClientId,
    /// In whose tokens.
    pub issuer: Issuer,
    /// With which scopes, at most.
    pub scopes: BTreeSet<String>,
    /// With which roles, at most.
    pub roles: BTreeSet<String>,
    /// From when on: the time of the request.
    pub not_before: Timestamp,
    /// For how many seconds, from the first use on.
    pub max_duration_s: u64,
    /// How often.
    pub uses: u32,
    /// Why, in the requester's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// The ticket that he names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// By which rule.
    pub template: TemplateRef,
    /// Until when it can be decided.
    pub expires_at: Timestamp,
    /// What the application says that asks, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationData>,
}

/// What an application says of its own request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationData {
    /// Which application.
    pub uri: ApplicationUri,
    /// What it is about.
    pub title: String,
    /// Whom its token names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its data, a text in canonical JSON.
    pub data: String,
}

#[derive(Serialize, Deserialize)]
struct Tagged<R> {
    typ: String,
    v: u8,
    #[serde(flatten)]
    request: R,
}

impl Request {
    /// The canonical text, and its digest.
    pub fn bind(&self) -> Result<(String, Digest), BindingError> {
        let tagged = Tagged { typ: TYP.to_owned(), v: 1, request: self };
        let value = serde_json::to_value(&tagged).map_err(|error| FormError::Unreadable(error.to_string()))?;
        restricted("", &value)?;
        let text = canonical(&value)?;
        if text.len() > MOST_BYTES {
            return Err(BindingError::TooLong);
        }
        let digest = digest_of(&text);
        Ok((text, digest))
    }

    /// Reads a canonical text back. Any other spelling of the same content, and anything besides it, is refused.
    pub fn read(text: &str) -> Result<(Self, Digest), BindingError> {
        let tagged: Tagged<Self> =
            serde_json::from_str(text).map_err(|error| FormError::Unreadable(error.to_string()))?;
        let (again, digest) = tagged.request.bind()?;
        if again == text { Ok((tagged.request, digest)) } else { Err(FormError::NotCanonical.into()) }
    }
}

/// The digest of a canonical text.
pub fn digest_of(text: &str) -> Digest {
    Digest::of(b"", text.as_bytes())
}

/// Texts that look like what they are, exact numbers, and nothing that means "unknown".
fn restricted(at: &str, value: &Value) -> Result<(), BindingError> {
    let at_name = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match value {
        Value::Null => Err(BindingError::Null(at.to_owned())),
        Value::Number(number) if number.as_u64().is_some_and(|number| EXACT.contains(&number)) => Ok(()),
        Value::Number(_) => Err(BindingError::Number(at.to_owned())),
        Value::String(text) if text.chars().any(is_deceptive) => Err(BindingError::Deceptive(at.to_owned())),
        Value::String(text) if !is_nfc(text) => Err(BindingError::NotNormalized(at.to_owned())),
        Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Array(items) => items.iter().try_for_each(|item| restricted(at, item)),
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| restricted(&at_name(name), field)),
    }
}

#[cfg(test)]
mod tests;
