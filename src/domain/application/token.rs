//! What an application's token must say, once its signature is known to be good.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::domain::{
    approval::application::{DataFault, Members, members},
    ids::{IdError, plain_text},
    jwt::{Claims, is_audience, moment},
};

/// The longest life of a token, from `iat` to `exp`: five minutes, and one second more, because both are cut to whole
/// seconds at moments of their own. A token made as Next Level3's sample makes them would be refused now and then.
pub const LIFE: SignedDuration = SignedDuration::from_secs(301);
/// How far the application's clock and ours may be apart.
pub const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// The longest `jti`, characters.
const MOST_ID: usize = 128;
/// Claims that aren't the application's to choose.
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// Why a token isn't accepted. The caller is told none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It can't be read.
    #[error("malformed")]
    Malformed,
    /// Not HS256.
    #[error("wrong-algorithm")]
    Algorithm,
    /// No application of the tenant is called that.
    #[error("unknown-application")]
    Issuer,
    /// None of the application's keys made its signature.
    #[error("wrong-signature")]
    Signature,
    /// It is for somebody else.
    #[error("wrong-audience")]
    Audience,
    /// It doesn't say when it was made.
    #[error("no-issue-time")]
    NoIssueTime,
    /// It has no end.
    #[error("no-end")]
    NoEnd,
    /// A time in it is none.
    #[error("bad-time")]
    Time,
    /// It has no id, or one that can't be.
    #[error("no-id")]
    NoId,
    /// It was made, or begins, in the future.
    #[error("not-yet-valid")]
    Early,
    /// It is over.
    #[error("expired")]
    Expired,
    /// It would hold for too long.
    #[error("lives-too-long")]
    LongLife,
    /// Its end lies before its beginning.
    #[error("ends-before-it-begins")]
    Backwards,
    /// It was used before.
    #[error("replayed")]
    Replayed,
}

/// A token's id: it is used up by the first request that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtId(String);

impl JwtId {
    fn parse(text: &str) -> Result<Self, IdError> {
        plain_text(text, MOST_ID).map(|text| Self(text.to_owned()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A token that is good now.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// Its id.
    pub id: JwtId,
    /// Whom the application says it is about.
    pub subject: Option<String>,
    /// From this instant on it is refused anyway, so that nobody has to remember it.
    pub over: Timestamp,
    /// The claims that are the application's own, if people can be shown them.
    pub custom: Result<Map<String, Value>, DataFault>,
}

/// Checks everything but the signature and that its id is fresh. An `nbf` in the past is never a fault.
pub fn accept(payload: &str, audience: &str, now: Timestamp) -> Result<Accepted, Fault> {
    let Claims(claims) = serde_json::from_str(payload).map_err(|_| Fault::Malformed)?;
    if !is_audience(&claims, audience) {
        return Err(Fault::Audience);
    }
    let time = |name| moment(&claims, name).map_err(|_| Fault::Time);
    let issued = time("iat")?.ok_or(Fault::NoIssueTime)?;
    let begins = time("nbf")?;
    let ends = time("exp")?.ok_or(Fault::NoEnd)?;
    let latest = now.saturating_add(LEEWAY).map_err(|_| Fault::Time)?;
    if issued > latest || begins.is_some_and(|begins| begins > latest) {
        return Err(Fault::Early);
    }
    let over = ends.saturating_add(LEEWAY).map_err(|_| Fault::Time)?;
    if now >= over {
        return Err(Fault::Expired);
    }
    let life = ends.duration_since(issued);
    if life > LIFE {
        return Err(Fault::LongLife);
    }
    if life.is_negative() {
        return Err(Fault::Backwards);
    }
    let id = claims.get("jti").and_then(Value::as_str).and_then(|id| JwtId::parse(id).ok()).ok_or(Fault::NoId)?;
    let subject = claims.get("sub").and_then(Value::as_str).map(str::to_owned);
    Ok(Accepted { id, subject, over, custom: custom(payload)? })
}

/// Read from the text: claims that are signed again by people aren't rounded, and none hides another.
fn custom(payload: &str) -> Result<Result<Map<String, Value>, DataFault>, Fault> {
    let Members(mut all) = serde_json::from_str(payload).map_err(|_| Fault::Malformed)?;
    all.retain(|(name, _)| !REGISTERED.contains(&name.as_str()));
    match members(all) {
        // Two readers could take a different one (RFC 8725, 2.4), as at the top.
        Err(DataFault::Twice) => Err(Fault::Malformed),
        read => Ok(read),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn check(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Accepted, Fault> {
        let mut claims = json!({"iss": "https://app", "aud": "api", "sub": "ann", "jti": "1", "iat": NOW,
                                "nbf": NOW - 60, "exp": NOW + 300, "amount": 7});
        change(claims.as_object_mut().unwrap());
        accept(&claims.to_string(), "api", Timestamp::from_second(NOW).unwrap())
    }

    fn with(changes: &[(&str, Value)]) -> Option<Fault> {
        check(|claims| claims.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())))).err()
    }

    fn at(name: &str, seconds: i64) -> (&str, Value) {
        (name, json!(NOW + seconds))
    }

    #[test]
    fn what_it_says_is_kept() {
        let accepted = check(|_| ()).unwrap();
        assert_eq!((accepted.id.as_str(), accepted.subject.as_deref()), ("1", Some("ann")));
        assert_eq!(accepted.custom.map(Value::Object), Ok(json!({"amount": 7})));
        assert_eq!(accepted.over.as_second(), NOW + 360);
    }

    #[test]
    fn claims_of_its_own_are_what_was_written() {
        let said = |custom: &str| {
            let registered = format!(r#""aud": "api", "jti": "1", "iat": {NOW}, "exp": {}"#, NOW + 60);
            let payload = format!("{{{registered}, {custom}}}");
            accept(&payload, "api", Timestamp::from_second(NOW).unwrap()).map(|accepted| accepted.custom.err())
        };
        assert_eq!(said(r#""a": {"b": 1.5}"#).ok(), Some(None));
        assert_eq!(said(r#""a": {"b": 9007199254740993}"#).ok(), Some(Some(DataFault::Number)));
        for twice in
            [r#""a": 1, "a": 1"#, r#""a": {"b": 1, "b": 2}"#, r#""a": [{"b": {"c": 1, "c": 2}}]"#, r#""jti": "2""#]
        {
            assert_eq!(said(twice).err(), Some(Fault::Malformed), "{twice}");
        }
    }

    #[test]
    fn times_have_their_bounds_and_a_minute_of_leeway() {
        let cases = [
            (vec![at("iat", 60), at("exp", 120)], None),
            (vec![at("iat", 61), at("exp", 120)], Some(Fault::Early)),
            (vec![at("nbf", 60)], None),
            (vec![at("nbf", 61)], Some(Fault::Early)),
            (vec![at("nbf", -1_000_000)], None),
            (vec![at("iat", -300), at("exp", -59)], None),
            (vec![at("iat", -300), at("exp", -60)], Some(Fault::Expired)),
            (vec![at("exp", 301)], None),
            (vec![at("exp", 302)], Some(Fault::LongLife)),
            (vec![at("iat", -302)], Some(Fault::LongLife)),
            (vec![at("iat", 20), at("exp", 19)], Some(Fault::Backwards)),
        ];
        for (changes, fault) in cases {
            assert_eq!(with(&changes), fault, "{changes:?}");
        }
    }

    #[test]
    fn what_must_be_there_must_be_there() {
        for (name, fault) in
            [("aud", Fault::Audience), ("iat", Fault::NoIssueTime), ("exp", Fault::NoEnd), ("jti", Fault::NoId)]
        {
            assert_eq!(check(|claims| drop(claims.remove(name))).err(), Some(fault), "{name}");
        }
        assert!(check(|claims| drop(claims.remove("nbf"))).is_ok());
        assert_eq!(check(|claims| drop(claims.remove("sub"))).unwrap().subject, None);
    }

    #[test]
    fn what_is_of_the_wrong_kind_is_refused() {
        for name in ["iat", "nbf", "exp"] {
            for bad in [json!("1800000000"), json!(null), json!([1]), json!(1e300), json!(i64::MAX), json!(u64::MAX)] {
                assert_eq!(with(&[(name, bad.clone())]), Some(Fault::Time), "{name}: {bad}");
            }
        }
        for bad in [json!(""), json!(7), json!("a\u{0}b"), json!("x".repeat(129)), json!("\u{202e}")] {
            assert_eq!(with(&[("jti", bad.clone())]), Some(Fault::NoId), "{bad}");
        }
        for bad in [json!("API"), json!(["x"]), json!([]), json!(["api", 1]), json!(1)] {
            assert_eq!(with(&[("aud", bad.clone())]), Some(Fault::Audience), "{bad}");
        }
    }
}
