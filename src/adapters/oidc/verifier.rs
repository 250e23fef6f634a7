//! Verifies one tenant's access tokens: header, key, signature, claims, in this order; and remembers those that passed.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Header, Validation, decode, decode_header, errors::ErrorKind};
use reqwest::Client;
use sha2::{Digest, Sha256};

use super::{
    claims::{Expected, Leeway},
    issuer::IssuerDocuments,
    keys::KeyRing,
};
use crate::{
    adapters::cache::{Bounds, Cache, Life, Settings, size},
    domain::{
        ids::{Issuer, TenantName},
        jwt::Claims,
    },
    metrics::{CacheKind, Metrics},
    ports::{
        clock::Clock,
        token_verifier::{TokenVerifier, VerifiedToken, VerifyError},
    },
};

/// Longer tokens are refused unread.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// How long a token that passed isn't looked at again; also how long it outlives its key.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_secs(60);
/// Tokens that a verifier remembers.
const REMEMBERED: Settings = Settings {
    kind: CacheKind::Tokens,
    bounds: Bounds { entries: 10_000, bytes: 32 << 20 },
    keep: Duration::from_mins(1),
};

/// Whose tokens are good.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// The tenant; its tokens are remembered apart from others'.
    pub tenant: TenantName,
    /// The issuer identifier, exactly as the issuer writes it into its tokens.
    pub issuer: Issuer,
    /// The audience of the access tokens. It also tells them from ID tokens, whose audience is the client: so it must
    /// not be a client's id.
    pub audience: String,
    /// How far the issuer's clock and ours may be apart.
    pub leeway: Leeway,
    /// At most one fetch in this time is made because tokens name keys that we don't have (default 5 s; less than 1 s
    /// counts as 1 s).
    pub refresh_brake: SignedDuration,
}

impl OidcSettings {
    /// The defaults for the rest.
    pub fn new(tenant: TenantName, issuer: Issuer, audience: &str) -> Self {
        let (leeway, refresh_brake) = (Leeway::default(), SignedDuration::from_secs(5));
        Self { tenant, issuer, audience: audience.to_owned(), leeway, refresh_brake }
    }
}

/// Why settings can't work.
#[derive(Debug, thiserror::Error)]
pub enum OidcSettingsError {
    /// The issuer is no URL that discovery can start from.
    #[error("the issuer {issuer} can't be used: {why}")]
    Issuer {
        /// The issuer.
        issuer: Issuer,
        /// What is wrong with it.
        why: String,
    },
}

/// Verifies access tokens (JWT) by the issuer's published keys.
///
/// * Nothing is fetched before the first token. Keys are fetched again in the background after 5 minutes of age, on use;
///   if that fails, the old ones serve for at most 24 hours.
/// * A key id that isn't in the set is looked for at once, but not more often than [`OidcSettings::refresh_brake`]: so a
///   new key is found within seconds, and made-up key ids can't be used to hammer the issuer. An issuer without key ids
///   has its new key found in the background only.
/// * The key decides the algorithm. `HS…` and `none` are never accepted, nor a `crit` header.
/// * A `typ` other than `JWT` and `at+jwt` is refused (RFC 9068, 4).
/// * A token that passed is remembered for a minute, never past its end; one that failed isn't.
pub struct OidcVerifier {
    tenant: TenantName,
    expected: Expected,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    remembered: Cache<[u8; 32], Arc<VerifiedToken>>,
}

impl OidcVerifier {
    /// Makes a verifier; asks nobody yet.
    pub fn new(
        settings: OidcSettings,
        http: Client,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OidcSettingsError> {
        let OidcSettings { tenant, issuer, audience, leeway, refresh_brake } = settings;
        let documents = IssuerDocuments::new(issuer.clone(), http)
            .map_err(|why| OidcSettingsError::Issuer { issuer: issuer.clone(), why })?;
        let brake = refresh_brake.max(SignedDuration::from_secs(1));
        let remembered =
            Cache::new(REMEMBERED, |_, token: &Arc<VerifiedToken>| token_size(token), Arc::clone(&clock), &metrics);
        let keys = KeyRing::new(tenant.clone(), documents, brake, Arc::clone(&clock), metrics);
        Ok(Self { tenant, expected: Expected { issuer, audience, leeway }, keys, clock, remembered })
    }

    async fn verify_afresh(&self, token: &str) -> Result<(Arc<VerifiedToken>, Timestamp), VerifyError> {
        let header = header(token)?;
        let key = self.keys.find(header.kid.as_deref(), header.alg).await?;
        let mut only_signature = Validation::new(key.algorithm);
        // The rest is ours to check: by our clock, and in one place.
        only_signature.required_spec_claims = HashSet::new();
        only_signature.validate_exp = false;
        only_signature.validate_aud = false;
        let claims =
            decode::<Claims>(token, &key.decoding, &only_signature).map_err(|error| unverified(&error))?.claims;
        let now = self.clock.now();
        let verified = self.expected.check(claims, now).map_err(|why| VerifyError::Invalid(why.to_owned()))?;
        Ok((verified, now))
    }
}

#[async_trait]
impl TokenVerifier for OidcVerifier {
    async fn verify(&self, token: &str) -> Result<Arc<VerifiedToken>, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::Invalid("it is too long".to_owned()));
        }
        let fingerprint = fingerprint(&self.tenant, token);
        if let Some(token) = self.remembered.get(&self.tenant, &fingerprint) {
            return Ok(token);
        }
        let (verified, now) = self.verify_afresh(token).await?;
        if now < verified.expires {
            let life = Life::of(now, REMEMBERED_FOR).at_most(verified.expires);
            self.remembered.insert(&self.tenant, &fingerprint, Arc::clone(&verified), life);
        }
        Ok(verified)
    }

    async fn probe(&self) -> Result<(), VerifyError> {
        self.keys.probe().await
    }
}

/// What a token is remembered by. A tenant's name has no zero byte, so the parts can't run into each other.
fn fingerprint(tenant: &TenantName, token: &str) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(tenant.as_str());
    sha.update([0]);
    sha.update(token);
    sha.finalize().into()
}

fn token_size(token: &VerifiedToken) -> usize {
    let VerifiedToken { claims, scopes, client, expires: _ } = token;
    let scopes: usize = scopes.iter().map(|scope| size_of::<String>() + size::text(scope)).sum();
    size_of::<VerifiedToken>() + size::object(claims) + scopes + client.as_deref().map_or(0, size::text)
}

/// In our own words: the library's may repeat what the token says.
fn unverified(error: &jsonwebtoken::errors::Error) -> VerifyError {
    let why = match error.kind() {
        ErrorKind::InvalidSignature => "its signature is wrong",
        _ => "its content can't be read",
    };
    VerifyError::Invalid(why.to_owned())
}

/// Reads the header and refuses what no key can make good. `jku`, `jwk` and `x5u` in it are never followed.
fn header(token: &str) -> Result<Header, VerifyError> {
    let invalid = |why: &str| VerifyError::Invalid(why.to_owned());
    let header = decode_header(token).map_err(|_| invalid("it is no signed JWT of an algorithm that is accepted"))?;
    if header.crit.is_some() {
        return Err(invalid("it has a crit header"));
    }
    // "application/" may be left out of a typ (RFC 7515, 4.1.9).
    let typ = header.typ.as_deref().map(str::to_ascii_lowercase);
    match typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ)) {
        None | Some("jwt" | "at+jwt") => Ok(header),
        Some(_) => Err(invalid("it is of another type than an access token")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_remember_apart() {
        let of = |tenant: &str, token: &str| fingerprint(&TenantName::parse(tenant).unwrap(), token);
        assert_eq!(of("one", "x.y.z"), of("one", "x.y.z"));
        assert_ne!(of("one", "x.y.z"), of("two", "x.y.z"));
        assert_ne!(of("one", "x.y.z"), of("onex", ".y.z"));
    }
}
