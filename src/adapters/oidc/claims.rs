//! What a token must say, once its signature is known to be good.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::{
    domain::{
        ids::Issuer,
        jwt::{Claims, is_audience, moment},
    },
    ports::token_verifier::VerifiedToken,
};

/// How far the issuer's clock and ours may be apart: 0 to 60 s, 30 s unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leeway(SignedDuration);

impl Leeway {
    /// `None` above 60 s.
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        (seconds <= 60).then(|| i64::try_from(seconds).ok().map(SignedDuration::from_secs).map(Self)).flatten()
    }
}

impl Default for Leeway {
    fn default() -> Self {
        Self(SignedDuration::from_secs(30))
    }
}

/// What a tenant's tokens must say.
pub(super) struct Expected {
    pub(super) issuer: Issuer,
    pub(super) audience: String,
    pub(super) leeway: Leeway,
}

impl Expected {
    /// Checks issuer, audience and times (RFC 7519, 4.1); `exp`, `iss` and `aud` must be there. The error is for our
    /// log and has nothing of the token in it.
    pub(super) fn check(&self, claims: Claims, now: Timestamp) -> Result<Arc<VerifiedToken>, &'static str> {
        let Claims(claims) = claims;
        // An audience that is a client's id as well would let its ID tokens in (OpenID Connect Core, 2 and 3.3.2.11).
        if ["at_hash", "c_hash", "nonce"].iter().any(|claim| claims.contains_key(*claim)) {
            return Err("it is an ID token");
        }
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err("another issuer, or none");
        }
        if !is_audience(&claims, &self.audience) {
            return Err("another audience, or none");
        }
        let Leeway(leeway) = self.leeway;
        let expires = moment(&claims, "exp")?.ok_or("it has no end")?;
        if now.duration_since(expires) >= leeway {
            return Err("it has expired");
        }
        let too_early = |start: Option<Timestamp>| start.is_some_and(|start| start.duration_since(now) > leeway);
        if too_early(moment(&claims, "nbf")?) {
            return Err("it is not valid yet");
        }
        if too_early(moment(&claims, "iat")?) {
            return Err("it was issued in the future");
        }
        let (scopes, client) = (scopes(&claims), client(&claims));
        Ok(Arc::new(VerifiedToken { claims, scopes, client, expires }))
    }
}

/// Okta writes a list into `scp`; RFC 8693 (4.2) a text with spaces into `scope`. `scp` counts where both are there.
fn scopes(claims: &Map<String, Value>) -> BTreeSet<String> {
    match claims.get("scp").or_else(|| claims.get("scope")) {
        Some(Value::String(text)) => text.split_ascii_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    }
}

fn client(claims: &Map<String, Value>) -> Option<String> {
    ["cid", "azp", "client_id"].into_iter().find_map(|name| claims.get(name)?.as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn check(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Arc<VerifiedToken>, &'static str> {
        let mut claims = json!({"iss": "https://i", "aud": "api", "exp": now().as_second() + 600});
        change(claims.as_object_mut().unwrap());
        let claims: Claims = serde_json::from_value(claims).unwrap();
        let issuer = Issuer::parse("https://i").unwrap();
        Expected { issuer, audience: "api".to_owned(), leeway: Leeway::default() }.check(claims, now())
    }

    fn with(name: &str, value: &Value) -> Result<Arc<VerifiedToken>, &'static str> {
        check(|claims| {
            claims.insert(name.to_owned(), value.clone());
        })
    }

    #[test]
    fn times_have_their_leeway_and_no_more() {
        let from_now = |seconds: i64| json!(now().as_second() + seconds);
        assert!(with("exp", &from_now(-29)).is_ok());
        assert_eq!(with("exp", &from_now(-30)).err(), Some("it has expired"));
        assert!(with("nbf", &from_now(30)).is_ok());
        assert_eq!(with("nbf", &from_now(31)).err(), Some("it is not valid yet"));
        assert!(with("iat", &from_now(30)).is_ok());
        assert_eq!(with("iat", &from_now(31)).err(), Some("it was issued in the future"));
        assert!(with("iat", &from_now(-1_000_000)).is_ok());
    }

    #[test]
    fn times_that_are_none_are_refused() {
        for name in ["exp", "nbf", "iat"] {
            for bad in [json!("1800000600"), json!(null), json!([1]), json!(1e300), json!(i64::MAX), json!(u64::MAX)] {
                assert!(with(name, &bad).is_err(), "{name}: {bad}");
            }
        }
        assert!(with("exp", &json!(1_800_000_600.5)).is_ok());
        assert!(check(|claims| drop(claims.remove("exp"))).is_err());
    }

    #[test]
    fn issuer_and_audience_are_exact() {
        for bad in [json!("https://i/"), json!("HTTPS://I"), json!(["https://i"]), json!(null)] {
            assert_eq!(with("iss", &bad).err(), Some("another issuer, or none"), "{bad}");
        }
        for bad in [json!("API"), json!(""), json!(["x"]), json!([]), json!(["api", 1]), json!({"api": 1})] {
            assert_eq!(with("aud", &bad).err(), Some("another audience, or none"), "{bad}");
        }
        assert!(with("aud", &json!(["x", "api"])).is_ok());
        assert!(check(|claims| drop(claims.remove("iss"))).is_err());
        assert!(check(|claims| drop(claims.remove("aud"))).is_err());
    }

    #[test]
    fn scopes_and_client_come_from_their_claims() {
        let list = with("scp", &json!(["a", "b", 3])).unwrap();
        assert_eq!(list.scopes.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(with("scope", &json!("b a")).unwrap().scopes, list.scopes);
        assert!(with("scope", &json!(7)).unwrap().scopes.is_empty());
        let both = check(|claims| {
            claims.insert("client_id".to_owned(), json!("three"));
            claims.insert("azp".to_owned(), json!("two"));
        });
        assert_eq!(both.unwrap().client.as_deref(), Some("two"));
        assert_eq!(with("cid", &json!("one")).unwrap().client.as_deref(), Some("one"));
        assert_eq!(check(|_| ()).unwrap().client, None);
    }

    #[test]
    fn a_leeway_is_at_most_a_minute() {
        assert!(Leeway::from_seconds(0).is_some() && Leeway::from_seconds(60).is_some());
        assert_eq!(Leeway::from_seconds(61), None);
    }
}
