//! Is it Okta that calls? By a static header, by an OAuth 2.0 bearer token, or either.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::settings::{BearerCaller, HeaderSecrets, Settings};
use crate::ports::dialect::{HeaderLookup, NotAuthenticated};

/// Lets the caller in if one of the configured ways accepts it.
pub(super) async fn authenticate(settings: &Settings, headers: HeaderLookup<'_>) -> Result<(), NotAuthenticated> {
    let mut faults = Vec::new();
    if let Some(secrets) = &settings.header {
        match by_header(secrets, headers) {
            Ok(()) => return Ok(()),
            Err(fault) => faults.push(fault),
        }
    }
    if let Some(caller) = &settings.bearer {
        match by_bearer(caller, headers).await {
            Ok(()) => return Ok(()),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        faults.push("no way to authenticate is configured".to_owned());
    }
    Err(NotAuthenticated(faults.join("; ")))
}

/// The one value of a header: a proxy and we could each take another one of several.
fn only<'h>(headers: HeaderLookup<'h>, name: &str) -> Result<&'h [u8], String> {
    match headers(name).as_slice() {
        [] => Err(format!("no header `{name}`")),
        [value] => Ok(value),
        _ => Err(format!("several headers `{name}`")),
    }
}

/// Compares digests, so that neither content nor length of a secret shows in the time taken, and compares every
/// secret, so that it doesn't show which one it was.
fn by_header(secrets: &HeaderSecrets, headers: HeaderLookup<'_>) -> Result<(), String> {
    let given: [u8; 32] = Sha256::digest(only(headers, secrets.name())?).into();
    let fits = secrets.digests().iter().fold(Choice::from(0), |fits, digest| fits | digest.ct_eq(&given));
    if bool::from(fits) { Ok(()) } else { Err(format!("wrong value in header `{}`", secrets.name())) }
}

async fn by_bearer(caller: &BearerCaller, headers: HeaderLookup<'_>) -> Result<(), String> {
    let token = bearer_token(only(headers, "authorization")?).ok_or("header `authorization` holds no bearer token")?;
    let token = caller.verifier().verify(token).await.map_err(|e| e.to_string())?;
    if token.client.as_deref() != Some(caller.client()) {
        return Err("the token is another client's".to_owned());
    }
    if !token.scopes.contains(caller.scope()) {
        return Err(format!("the token lacks the scope `{}`", caller.scope()));
    }
    Ok(())
}

/// The token behind `Bearer`, in any case (RFC 9110, 11.1).
fn bearer_token(value: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
