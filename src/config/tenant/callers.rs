//! Who may call the hook and the API.

use secrecy::{ExposeSecret, SecretString};

use crate::{
    config::{
        mistakes::{Read, Recorded, fault},
        parse,
        reader::Reader,
        settings::{self, Setting},
    },
    domain::ids::{Issuer, TenantName},
};

/// Headers that HTTP or the caller's client fills (RFC 9110): none of them can carry a secret.
const TAKEN_HEADERS: &[&str] =
    &["host", "content-type", "content-length", "accept", "user-agent", "connection", "transfer-encoding"];
/// Claims that say the same for many users or all (RFC 7519; RFC 9068; Okta): whoever has one is no administrator
/// for that.
const CLAIMS_OF_ALL: &[&str] = &["iss", "aud", "scp", "scope", "cid", "azp", "client_id", "ver", "exp", "iat"];

/// How the identity provider proves that it calls.
#[derive(Debug, Clone)]
pub struct HookCallers {
    /// The header that carries the secret, in lower case.
    pub header: String,
    /// None, one or two values of it, all accepted.
    pub secrets: Vec<SecretString>,
    /// The OAuth token it may send instead.
    pub bearer: Option<HookBearer>,
}

/// What the identity provider's own OAuth token must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookBearer {
    /// `iss`, and where its keys are found.
    pub issuer: Issuer,
    /// `aud`.
    pub audience: String,
    /// `cid`.
    pub cid: String,
    /// One of `scp`.
    pub scope: String,
}

/// A role by a claim of the user's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRole {
    /// The claim.
    pub claim: String,
    /// What it is, or contains.
    pub value: String,
}

/// The secret that the hook's caller sends, and where.
#[derive(Debug, Clone)]
pub struct HookHeader {
    /// The header, in lower case.
    pub name: String,
    /// The secret, if there is one.
    pub first: Option<SecretString>,
    /// The other one that is accepted.
    pub second: Option<SecretString>,
}

/// All of it that is given; that anything is, isn't asked for here.
pub(in crate::config) fn hook_header(r: &mut Reader<'_>) -> Read<HookHeader> {
    let name = r.value(&settings::HOOK_HEADER, |text| match http::HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) if TAKEN_HEADERS.contains(&name.as_str()) => {
            Err(fault(format!("`{name}` has a meaning of its own"), "give one such as `authorization`"))
        }
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => Err(fault(format!("`{text}` is no header's name"), "give one such as `authorization`")),
    });
    let first = r.secret(&settings::HOOK_SECRET);
    let second = r.secret(&settings::HOOK_SECRET_2);
    Ok(HookHeader { name: name?, first: first?, second: second? })
}

pub(super) fn hook_callers(r: &mut Reader<'_>, issuer: Option<&Issuer>) -> Read<HookCallers> {
    let header = hook_header(r);
    let bearer = bearer(r, issuer);
    let (HookHeader { name, first, second }, bearer) = (header?, bearer?);
    if first.is_none() && second.is_none() && bearer.is_none() {
        let bearer = r.place(&settings::BEARER_CID);
        let remedy =
            format!("give what the hook's caller sends there, or set up a bearer token by {bearer} and its like");
        return Err(r.wrong(&settings::HOOK_SECRET, fault("is missing: anybody could call the hook", remedy)));
    }
    if let (Some(first), Some(second)) = (&first, &second)
        && first.expose_secret() == second.expose_secret()
    {
        let remedy = "give the new one there, or leave it out";
        return Err(r.wrong(&settings::HOOK_SECRET_2, fault("is the same as the first", remedy)));
    }
    let secrets: Vec<_> = [first, second].into_iter().flatten().collect();
    if secrets.iter().any(|secret| secret.expose_secret().len() < 16) {
        let warning =
            format!("{}: a secret of fewer than 16 characters can be guessed", r.place(&settings::HOOK_SECRET));
        r.found.warnings.push(warning);
    }
    Ok(HookCallers { header: name, secrets, bearer })
}

fn bearer(r: &mut Reader<'_>, tenants: Option<&Issuer>) -> Read<Option<HookBearer>> {
    let parse_issuer = parse::issuer(r.sources.development);
    let issuer = r.optional(&settings::BEARER_ISSUER, parse_issuer);
    let audience = r.optional(&settings::BEARER_AUDIENCE, parse::text);
    let cid = r.optional(&settings::BEARER_CID, parse::word);
    let scope = r.optional(&settings::BEARER_SCOPE, parse::scope);
    let (issuer, audience, cid, scope) = (issuer?, audience?, cid?, scope?);
    if issuer.is_none() && audience.is_none() && cid.is_none() && scope.is_none() {
        return Ok(None);
    }
    let audience = present(r, &settings::BEARER_AUDIENCE, audience);
    let cid = present(r, &settings::BEARER_CID, cid);
    let scope = present(r, &settings::BEARER_SCOPE, scope);
    let (audience, cid, scope) = (audience?, cid?, scope?);
    // Without a tenant's issuer there is a mistake on the list already.
    let issuer = issuer.or_else(|| tenants.cloned()).ok_or(Recorded)?;
    Ok(Some(HookBearer { issuer, audience, cid, scope }))
}

fn present<T>(r: &mut Reader<'_>, setting: &Setting, value: Option<T>) -> Read<T> {
    value.ok_or_else(|| {
        r.wrong(setting, fault("is missing beside the other settings of the bearer token", "give it, or none"))
    })
}

/// Okta Managed Access asked for no scope: whoever starts us with its variables alone gets what he had.
pub(in crate::config) fn api_scope(name: &TenantName, r: &mut Reader<'_>) -> Read<Option<String>> {
    let old = [&settings::ISSUER, &settings::AUDIENCE, &settings::HOOK_SECRET];
    if r.is_given(&settings::API_SCOPE) || !old.into_iter().all(|setting| r.by_old_name(setting)) {
        return r.value(&settings::API_SCOPE, parse::scope).map(Some);
    }
    r.found.warnings.push(format!(
        "tenant {name} runs with the variables of Okta Managed Access and asks for no scope: any token of the audience \
         may change delegations; set {} to ask for one",
        settings::API_SCOPE.env
    ));
    Ok(None)
}

pub(super) fn admin(r: &mut Reader<'_>) -> Read<Option<ClaimRole>> {
    role(r, &settings::ADMIN_CLAIM, &settings::ADMIN_VALUE)
}

pub(super) fn break_glass(r: &mut Reader<'_>) -> Read<Option<ClaimRole>> {
    role(r, &settings::BREAK_GLASS_CLAIM, &settings::BREAK_GLASS_VALUE)
}

fn role(r: &mut Reader<'_>, claim_at: &Setting, value_at: &Setting) -> Read<Option<ClaimRole>> {
    let claim = r.optional(claim_at, |text| match parse::word(text)? {
        claim if CLAIMS_OF_ALL.contains(&claim.as_str()) => {
            Err(fault(format!("`{claim}` says nothing about the user"), "name a claim such as `groups`"))
        }
        claim => Ok(claim),
    });
    let value = r.optional(value_at, parse::text);
    match (claim?, value?) {
        (Some(claim), Some(value)) => Ok(Some(ClaimRole { claim, value })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(r.wrong(value_at, fault("is missing beside the claim", "give both or none"))),
        (None, Some(_)) => Err(r.wrong(claim_at, fault("is missing beside its value", "give both or none"))),
    }
}
