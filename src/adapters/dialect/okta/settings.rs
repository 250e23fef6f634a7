//! What an operator sets for Okta, checked when the configuration is loaded.

use std::{collections::BTreeSet, sync::Arc};

use http::HeaderName;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{
    domain::claims::{ClaimNames, MappedClaim},
    ports::token_verifier::TokenVerifier,
};

/// Why settings can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a header's name.
    #[error("`{0}` is not a header name")]
    HeaderName(String),
    /// None, or more than a rotation needs.
    #[error("one secret is needed, or two while they are rotated; there are {0}")]
    SecretCount(usize),
    /// Nobody could send it, or everybody would.
    #[error("a secret must not be empty, begin or end with white space, or hold control characters")]
    Secret,
    /// A bearer rule without client or scope.
    #[error("the expected client and scope must not be empty")]
    Bearer,
}

/// How Okta proves that it calls. With both ways either suffices; with neither nobody is let in.
#[derive(Default)]
pub struct Settings {
    /// A static header.
    pub header: Option<HeaderSecrets>,
    /// An OAuth 2.0 access token.
    pub bearer: Option<BearerCaller>,
}

/// A header whose value is a shared secret. Keeps digests only.
pub struct HeaderSecrets {
    name: HeaderName,
    digests: Vec<[u8; 32]>,
}

impl HeaderSecrets {
    /// The name of the header unless another one is set.
    pub const DEFAULT_NAME: &str = "authorization";

    /// Takes the header's name, in any case, and one secret, or two while they are rotated. A scheme such as `Basic`
    /// is part of the secret.
    pub fn new(name: &str, secrets: &[SecretString]) -> Result<Self, SettingsError> {
        let name = name.parse().map_err(|_| SettingsError::HeaderName(name.to_owned()))?;
        if !(1..=2).contains(&secrets.len()) {
            return Err(SettingsError::SecretCount(secrets.len()));
        }
        let digests = secrets.iter().map(|secret| digest(secret.expose_secret())).collect::<Result<_, _>>()?;
        Ok(Self { name, digests })
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    pub(super) fn digests(&self) -> &[[u8; 32]] {
        &self.digests
    }
}

/// HTTP drops white space around a header's value: a secret read with its line end would never match.
fn digest(secret: &str) -> Result<[u8; 32], SettingsError> {
    if secret.is_empty() || secret.trim() != secret || secret.chars().any(char::is_control) {
        return Err(SettingsError::Secret);
    }
    Ok(Sha256::digest(secret).into())
}

/// An OAuth 2.0 client that Okta calls as. Signature, `iss`, `aud` and times are the verifier's.
pub struct BearerCaller {
    verifier: Arc<dyn TokenVerifier>,
    client: String,
    scope: String,
}

impl BearerCaller {
    /// Expects tokens of `client` (`cid`) that carry `scope` (`scp`).
    pub fn new(verifier: Arc<dyn TokenVerifier>, client: &str, scope: &str) -> Result<Self, SettingsError> {
        if client.is_empty() || scope.is_empty() {
            return Err(SettingsError::Bearer);
        }
        Ok(Self { verifier, client: client.to_owned(), scope: scope.to_owned() })
    }

    pub(super) fn verifier(&self) -> &dyn TokenVerifier {
        self.verifier.as_ref()
    }

    pub(super) fn client(&self) -> &str {
        &self.client
    }

    pub(super) fn scope(&self) -> &str {
        &self.scope
    }
}

/// Claims that a hook can't change in any token (Okta, token inline hook reference). Okta lets `sub` of an access
/// token be changed; here it stays the agent.
const RESERVED: &[&str] =
    &["acr", "auth_time", "cid", "cnf", "exp", "groups", "iat", "iss", "jti", "sid", "sub", "token_type", "ver"];
/// The same, in access tokens.
const RESERVED_ACCESS: &[&str] = &["as_uri", "authorization_details", "rpt", "rsi", "scp", "uid", "username"];
/// Claims of access tokens that Okta may let a hook change, and that decide who takes the token and for what: an
/// attribute must not.
const NEVER_IN_ACCESS: &[&str] = &["aud", "azp", "client_id", "nbf", "scope"];
/// The same, in ID tokens; so is everything that begins with [`RESERVED_IDENTITY_PREFIX`].
const RESERVED_IDENTITY: &[&str] = &[
    "active",
    "aid",
    "amr",
    "app_id",
    "app_type",
    "at_hash",
    "aud",
    "c_hash",
    "client_id",
    "client_ip",
    "client_req_id",
    "client_type",
    "client_user_agent",
    "did",
    "dst",
    "group",
    "hotk",
    "idp",
    "idp_iss",
    "mac_key",
    "may_act",
    "nonce",
    "oid",
    "okta_emailVerified",
    "okta_lastUpdated",
    "orig",
    "permissions",
    "purpose",
    "pwd_exp_days",
    "pwd_exp_time",
    "rid",
    "role",
    "scope",
    "scopes",
    "term",
    "user_ip",
];
const RESERVED_IDENTITY_PREFIX: &str = "device_";

fn reserved_in_access(claim: &str) -> bool {
    [RESERVED, RESERVED_ACCESS, NEVER_IN_ACCESS].iter().any(|names| names.contains(&claim))
}

fn reserved_in_identity(claim: &str) -> bool {
    RESERVED.contains(&claim) || RESERVED_IDENTITY.contains(&claim) || claim.starts_with(RESERVED_IDENTITY_PREFIX)
}

/// Checks the names of all claims that a hook may set: one that Okta reserves would void every answer. Gives all
/// faults, each naming its claim.
pub fn check_claim_names(
    names: &ClaimNames,
    access: &[MappedClaim],
    identity: &[MappedClaim],
) -> Result<(), Vec<String>> {
    let own: Vec<&str> = names.own().collect();
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for &name in &own {
        // Ours are set in access tokens and taken from both.
        if name.is_empty() {
            faults.push("a delegation claim has an empty name".to_owned());
        } else if reserved_in_access(name) || reserved_in_identity(name) {
            faults.push(format!("the delegation claim `{name}` has a name that Okta reserves"));
        } else if !seen.insert(name) {
            faults.push(format!("two delegation claims are named `{name}`"));
        }
    }
    check_mapped("access", access, &own, reserved_in_access, &mut faults);
    check_mapped("ID", identity, &own, reserved_in_identity, &mut faults);
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn check_mapped(
    token: &str,
    claims: &[MappedClaim],
    own: &[&str],
    reserved: fn(&str) -> bool,
    faults: &mut Vec<String>,
) {
    let mut seen = BTreeSet::new();
    for MappedClaim { claim, .. } in claims {
        if reserved(claim) {
            faults.push(format!("Okta reserves the claim `{claim}` in {token} tokens"));
        } else if own.contains(&claim.as_str()) {
            faults.push(format!("the claim `{claim}` is set by the delegation itself"));
        } else if !seen.insert(claim) {
            faults.push(format!("the claim `{claim}` is mapped twice in {token} tokens"));
        }
    }
}
