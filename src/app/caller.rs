//! Who calls the API: a user by his own access token.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    domain::{
        claims::ClaimNames,
        ids::{ClientId, UserId},
    },
    ports::token_verifier::VerifiedToken,
};

/// How a tenant's access tokens name people and rights.
#[derive(Debug, Clone)]
pub struct IdentityPolicy {
    /// The claim that is the user's immutable id: the value by which hooks name him.
    pub user_claim: String,
    /// The claim and the value (alone or in a list) that make an administrator; `None`: there are none.
    pub administrator: Option<(String, String)>,
    /// The same for those who may skip votes in an emergency.
    pub break_glass: Option<(String, String)>,
    /// The scope without which nothing is changed; `None` in the mode of the twelve old variables.
    pub scope: Option<String>,
    /// The names of our own claims, by which a delegated token is known.
    pub claims: ClaimNames,
}

/// An authenticated user.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Immutable id.
    pub user: UserId,
    /// The OAuth client of the token.
    pub client: Option<ClientId>,
    /// Scopes of the token.
    pub scopes: BTreeSet<String>,
    /// Whether the token has the administrator's role.
    pub administrator: bool,
    /// Whether the token has the role of those who may skip votes in an emergency.
    pub break_glass: bool,
    /// Whether the token has the scope for changes.
    pub may_change: bool,
    /// When he signed in, as the token says (OpenID Connect Core, 2).
    pub auth_time: Option<Timestamp>,
    /// How, as the token says: a few short words.
    pub amr: Vec<String>,
    /// When the token ends.
    pub expires: Timestamp,
    /// The id of the request he calls with, for the audit trail.
    pub request: Option<String>,
}

/// Why a verified token is no caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// It names no user in the claim that the tenant uses.
    #[error("the token names no user")]
    NoUser,
    /// It is itself a delegated token: whoever acts for another can't pass that on, nor change anything of his.
    #[error("a delegated token can't be used here")]
    Delegated,
}

impl Caller {
    /// Reads the caller out of a verified token.
    pub fn from_token(token: &VerifiedToken, policy: &IdentityPolicy) -> Result<Self, CallerError> {
        if is_delegated(token, &policy.claims) {
            return Err(CallerError::Delegated);
        }
        let user = token.text(&policy.user_claim).and_then(|id| UserId::parse(id).ok()).ok_or(CallerError::NoUser)?;
        let has = |role: &Option<(String, String)>| {
            let holds = |(claim, value): &(String, String)| token.claims.get(claim).is_some_and(|c| holds(c, value));
            role.as_ref().is_some_and(holds)
        };
        Ok(Self {
            user,
            client: token.client.as_deref().and_then(|c| ClientId::parse(c).ok()),
            scopes: token.scopes.clone(),
            administrator: has(&policy.administrator),
            break_glass: has(&policy.break_glass),
            auth_time: token.claims.get("auth_time").and_then(seconds),
            amr: amr(token.claims.get("amr")),
            expires: token.expires,
            may_change: policy.scope.as_ref().is_none_or(|scope| token.scopes.contains(scope)),
            request: None,
        })
    }
}

/// Any trace of a delegation counts, but for an explicit "false": unknown is no.
fn is_delegated(token: &VerifiedToken, names: &ClaimNames) -> bool {
    if token.claims.contains_key(&names.on_behalf_sub) {
        return true;
    }
    match token.claims.get(&names.on_behalf) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.eq_ignore_ascii_case("false"),
        Some(_) => true,
    }
}

/// A `NumericDate`, to the second. What is none is unknown.
fn seconds(value: &Value) -> Option<Timestamp> {
    Timestamp::from_second(value.as_i64()?).ok()
}

/// Methods of authentication (RFC 8176): at most eight, of the letters that such names have.
fn amr(claim: Option<&Value>) -> Vec<String> {
    let is_plain = |word: &&str| (1..=32).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic());
    let words = claim.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    words.filter(is_plain).take(8).map(str::to_owned).collect()
}

fn holds(present: &Value, value: &str) -> bool {
    match present {
        Value::String(text) => text == value,
        Value::Array(list) => list.iter().any(|v| v.as_str() == Some(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy() -> IdentityPolicy {
        IdentityPolicy {
            user_claim: "uid".into(),
            administrator: Some(("groups".into(), "behalf-admins".into())),
            break_glass: Some(("groups".into(), "behalf-break-glass".into())),
            scope: Some("behalf".into()),
            claims: ClaimNames::default(),
        }
    }

    fn token(claims: &Value) -> VerifiedToken {
        VerifiedToken {
            claims: claims.as_object().unwrap().clone(),
            scopes: BTreeSet::new(),
            client: None,
            expires: jiff::Timestamp::MAX,
        }
    }

    #[test]
    fn the_user_is_the_configured_claim_and_no_other() {
        let got = Caller::from_token(&token(&json!({"sub": "ann", "uid": "00uAnn"})), &policy()).unwrap();
        assert_eq!(got.user.as_str(), "00uAnn");
        for bad in [json!({"sub": "ann"}), json!({"uid": ""}), json!({"uid": 7}), json!({"uid": "a\u{0}"})] {
            assert_eq!(Caller::from_token(&token(&bad), &policy()).err(), Some(CallerError::NoUser), "{bad}");
        }
    }

    #[test]
    fn a_delegated_token_is_nobody_however_it_is_spelled() {
        for bad in [json!("True"), json!("true"), json!("TRUE"), json!(true), json!("yes"), json!(1)] {
            let claims = json!({"uid": "a", "on_behalf": bad});
            assert_eq!(Caller::from_token(&token(&claims), &policy()).err(), Some(CallerError::Delegated));
        }
        let claims = json!({"uid": "a", "on_behalf_sub": "b"});
        assert_eq!(Caller::from_token(&token(&claims), &policy()).err(), Some(CallerError::Delegated));
        assert!(Caller::from_token(&token(&json!({"uid": "a", "on_behalf": "False"})), &policy()).is_ok());
    }

    #[test]
    fn the_role_is_a_value_not_a_part_of_one() {
        let admin = |groups: Value| {
            Caller::from_token(&token(&json!({"uid": "a", "groups": groups})), &policy()).unwrap().administrator
        };
        assert!(admin(json!(["x", "behalf-admins"])) && admin(json!("behalf-admins")));
        assert!(!admin(json!("not-behalf-admins")) && !admin(json!(["behalf-admins-2"])) && !admin(json!({})));
    }
}
