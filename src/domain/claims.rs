//! What goes into a delegated token, and what must leave one that only pretends.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    hook::{HookRequest, TokenFacts},
    reason::Reason,
    text::without_json_escapes,
    user::User,
};

/// Changes to one token; the dialect spells them. Removals name only claims that the token has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TokenPatch {
    /// Claims to set, new or in place of the present value.
    pub set: BTreeMap<String, Value>,
    /// Claims to take away.
    pub remove: BTreeSet<String>,
    /// New lifetime in seconds.
    pub lifetime: Option<u64>,
}

impl TokenPatch {
    /// True if it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty() && self.lifetime.is_none()
    }
}

/// Changes to the tokens that are being minted; empty for a token that isn't.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClaimPatch {
    /// The access token.
    pub access: TokenPatch,
    /// The ID token.
    pub identity: TokenPatch,
}

/// Names of the claims that are decided on here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// `"True"` in a delegated token.
    pub on_behalf: String,
    /// The delegator's subject.
    pub on_behalf_sub: String,
    /// `"False"` in a delegated token.
    pub can_delegate: String,
    /// The holder's subject, in the tokens of a shared account; `None` where the tenant has none.
    pub reserved_by: Option<String>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            on_behalf: "on_behalf".to_owned(),
            on_behalf_sub: "on_behalf_sub".to_owned(),
            can_delegate: "can_delegate".to_owned(),
            reserved_by: None,
        }
    }
}

impl ClaimNames {
    /// True if the bytes hold one of the names that only a delegated token may have, in whatever spelling.
    pub fn may_be_in(&self, bytes: &[u8]) -> bool {
        let plain = without_json_escapes(bytes);
        let named = |body: &[u8], name: &[u8]| body.windows(name.len()).any(|part| part == name);
        self.exclusive().any(|name| [bytes, &plain].into_iter().any(|body| named(body, name.as_bytes())))
    }

    /// The claims that only a token may have which was decided on here. `can_delegate` isn't one: IdPs set it on every
    /// token.
    fn exclusive(&self) -> impl Iterator<Item = &str> {
        [&self.on_behalf, &self.on_behalf_sub].into_iter().chain(&self.reserved_by).map(String::as_str)
    }

    /// All claims that are set here and by no attribute.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.can_delegate.as_str()).chain(self.exclusive())
    }
}

/// An attribute of the delegator that becomes a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedClaim {
    /// The directory's name.
    pub attribute: String,
    /// The token's name.
    pub claim: String,
}

impl MappedClaim {
    /// Reads `attribute` or `attribute=claim`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (attribute, claim) = text.split_once('=').unwrap_or((text, text));
        let fits = |s: &str| {
            !s.is_empty() && s.len() <= 256 && !s.chars().any(|c| c.is_whitespace() || super::ids::is_deceptive(c))
        };
        if fits(attribute) && fits(claim) {
            Ok(Self { attribute: attribute.to_owned(), claim: claim.to_owned() })
        } else {
            Err(format!("`{text}` is neither `attribute` nor `attribute=claim`"))
        }
    }
}

/// What to do about a mapped attribute that the delegator doesn't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingAttributes {
    /// Take the claim away: it would be the agent's value in a token that speaks for the delegator.
    #[default]
    Remove,
    /// Leave it, as Okta Managed Access did.
    Keep,
}

/// How a tenant's delegated tokens look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimsPolicy {
    /// Names of the fixed claims.
    pub names: ClaimNames,
    /// The delegator's attribute that is his subject; `None`: his login.
    pub subject_attribute: Option<String>,
    /// Attributes for the access token.
    pub access: Vec<MappedClaim>,
    /// Attributes for the ID token.
    pub identity: Vec<MappedClaim>,
    /// For attributes that the delegator doesn't have.
    pub missing: MissingAttributes,
}

impl ClaimsPolicy {
    /// The delegator's subject. A delegator without one can't be spoken for.
    pub fn subject_of(&self, delegator: &User) -> Result<String, Reason> {
        match &self.subject_attribute {
            None => Ok(delegator.login.as_str().to_owned()),
            Some(name) => delegator.text(name).ok_or(Reason::SubjectMissing),
        }
    }

    /// The patch that makes the tokens speak for `delegator`. Claims that aren't named here are never in it.
    pub fn delegated(&self, request: &HookRequest<'_>, delegator: &User) -> Result<ClaimPatch, Reason> {
        let access = request.access.as_ref().ok_or(Reason::NoAccessToken)?;
        let mut patch = ClaimPatch { access: self.mapped(&self.access, access, delegator), ..ClaimPatch::default() };
        let fixed = [
            (&self.names.on_behalf, "True".to_owned()),
            (&self.names.on_behalf_sub, self.subject_of(delegator)?),
            (&self.names.can_delegate, "False".to_owned()),
        ];
        for (name, value) in fixed {
            patch.access.remove.remove(name);
            patch.access.set.insert(name.clone(), Value::String(value));
        }
        self.strip(access, &mut patch.access);
        if let Some(identity) = &request.identity {
            patch.identity = self.mapped(&self.identity, identity, delegator);
            self.strip(identity, &mut patch.identity);
        }
        Ok(patch)
    }

    fn mapped(&self, claims: &[MappedClaim], token: &TokenFacts<'_>, delegator: &User) -> TokenPatch {
        let mut patch = TokenPatch::default();
        for MappedClaim { attribute, claim } in claims {
            match delegator.attribute(attribute) {
                Some(value) => {
                    patch.set.insert(claim.clone(), value);
                }
                None if self.missing == MissingAttributes::Remove && token.has(claim) => {
                    patch.remove.insert(claim.clone());
                }
                None => {}
            }
        }
        patch
    }

    /// The patch that takes our claims from tokens which carry them without a delegation; `None` if none does.
    pub fn stripped(&self, request: &HookRequest<'_>) -> Option<ClaimPatch> {
        let mut patch = ClaimPatch::default();
        if let Some(token) = &request.access {
            self.strip(token, &mut patch.access);
        }
        if let Some(token) = &request.identity {
            self.strip(token, &mut patch.identity);
        }
        (!patch.access.is_empty() || !patch.identity.is_empty()).then_some(patch)
    }

    /// The patch that names the holder in the tokens of a shared account. They pretend no delegation.
    pub fn reserved(&self, request: &HookRequest<'_>, holder: &User) -> Result<ClaimPatch, Reason> {
        let name = self.names.reserved_by.as_ref().ok_or(Reason::NotAMember)?;
        let subject = self.subject_of(holder)?;
        let mut patch = ClaimPatch::default();
        let tokens = [(&request.access, &mut patch.access), (&request.identity, &mut patch.identity)];
        for (token, patch) in tokens {
            let Some(token) = token else { continue };
            patch.set.insert(name.clone(), Value::String(subject.clone()));
            self.strip(token, patch);
        }
        Ok(patch)
    }

    fn strip(&self, token: &TokenFacts<'_>, patch: &mut TokenPatch) {
        for name in self.names.exclusive() {
            if token.has(name) && !patch.set.contains_key(name) {
                patch.remove.insert(name.to_owned());
            }
        }
    }
}

/// Bounds (in seconds) of the lifetimes that a dialect can set.
pub type LifetimeBounds = (u64, u64);

/// Shortens the tokens to `limit` seconds where they live longer. Never lengthens one.
pub fn limit_lifetime(
    patch: &mut ClaimPatch,
    request: &HookRequest<'_>,
    limit: u64,
    bounds: LifetimeBounds,
    allow_overrun: bool,
) -> Result<(), Reason> {
    let (least, most) = bounds;
    if limit < least && !allow_overrun {
        return Err(Reason::LifetimeTooShort);
    }
    let target = limit.clamp(least, most);
    let tokens = [(&request.access, &mut patch.access), (&request.identity, &mut patch.identity)];
    for (token, patch) in tokens {
        let Some(token) = token else { continue };
        let present = token.lifetime.ok_or(Reason::LifetimeUnknown)?;
        if present > target {
            patch.lifetime = Some(target);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
