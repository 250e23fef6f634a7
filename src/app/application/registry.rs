//! A tenant's applications, and whose token is whose.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous::insecure_decode_claims, decode, decode_header};
use serde_json::value::RawValue;

use crate::{
    app::answer_hook::UnknownIds,
    domain::{
        application::{Accepted, Application, Fault, accept},
        approval::Template,
        ids::{ApplicationUri, TenantName},
        jwt::Claims,
    },
};

/// Longer tokens are refused unread.
const MOST_BYTES: usize = 16 * 1024;

/// The applications that a tenant has registered.
#[derive(Default)]
pub struct Registry {
    audience: String,
    applications: BTreeMap<ApplicationUri, Arc<Application>>,
    refused: UnknownIds,
}

/// A token that isn't accepted, and the application that it names.
#[derive(Debug)]
pub struct Refused {
    /// Named, not proven.
    pub application: Option<ApplicationUri>,
    /// Why.
    pub fault: Fault,
}

impl Registry {
    /// These applications; their tokens have `audience` in `aud`.
    pub fn new(audience: &str, applications: impl IntoIterator<Item = Arc<Application>>) -> Self {
        let applications = applications.into_iter().map(|it| (it.uri.clone(), it)).collect();
        Self { audience: audience.to_owned(), applications, refused: UnknownIds::default() }
    }

    /// The application that a token names. Nothing is proven by that: it chooses who verifies the token.
    pub fn named_by(&self, token: &str) -> Option<&Arc<Application>> {
        if self.applications.is_empty() || token.len() > MOST_BYTES {
            return None;
        }
        let Claims(claims) = insecure_decode_claims::<Claims>(token).ok()?;
        let uri = ApplicationUri::parse(claims.get("iss")?.as_str()?).ok()?;
        self.applications.get(&uri)
    }

    /// Who decides about what applications ask for.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.applications.values().filter_map(|application| application.approval.as_ref())
    }

    /// The application that signed the token, and what it says.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<(Arc<Application>, Accepted), Refused> {
        let application = self.named_by(token).ok_or(Refused { application: None, fault: Fault::Issuer })?;
        let refused = |fault| Refused { application: Some(application.uri.clone()), fault };
        check_header(token).map_err(refused)?;
        let payload = signed(token, application).map_err(refused)?;
        let accepted = accept(payload.get(), &self.audience, now).map_err(refused)?;
        Ok((Arc::clone(application), accepted))
    }

    /// True for the first such refusal in this minute.
    pub(super) fn is_first(&self, tenant: &TenantName, uri: &ApplicationUri, fault: Fault, now: Timestamp) -> bool {
        self.refused.is_first(tenant, &format!("{fault} {uri}"), now)
    }
}

/// The header chooses nothing: one algorithm is accepted, and no extension is understood.
fn check_header(token: &str) -> Result<(), Fault> {
    // An algorithm that the library doesn't know, such as `none`, fails here.
    let header = decode_header(token).map_err(|_| Fault::Algorithm)?;
    if header.alg != Algorithm::HS256 {
        return Err(Fault::Algorithm);
    }
    let is_jwt = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if is_jwt && header.crit.is_none() { Ok(()) } else { Err(Fault::Malformed) }
}

/// The claims as they are written, if one of the application's keys made the signature.
fn signed(token: &str, application: &Application) -> Result<Box<RawValue>, Fault> {
    let mut only_signature = Validation::new(Algorithm::HS256);
    // The rest is checked by our clock, and in one place.
    only_signature.required_spec_claims = HashSet::new();
    only_signature.validate_exp = false;
    only_signature.validate_aud = false;
    for key in &application.keys {
        let key = DecodingKey::from_secret(key.expose());
        if let Ok(verified) = decode::<Box<RawValue>>(token, &key, &only_signature) {
            return Ok(verified.claims);
        }
    }
    Err(Fault::Signature)
}
