//! Who is let in as Okta.

use std::sync::Arc;

use async_trait::async_trait;
use behalf::{
    adapters::dialect::okta::{BearerCaller, HeaderSecrets, Okta, Settings, SettingsError},
    ports::{
        dialect::Dialect,
        token_verifier::{TokenVerifier, VerifiedToken, VerifyError},
    },
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Map;

const SECRET: &str = "Basic b2t0YTpvcGVuLXNlc2FtZQ==";

/// The fault that the caller is refused for; `None`: he is let in.
async fn fault(okta: &Okta, headers: &[(&str, &str)]) -> Option<String> {
    let lookup = |name: &str| headers.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.as_bytes()).collect();
    okta.authenticate(&lookup, b"{}").await.err().map(|refused| refused.0)
}

fn secrets(values: &[&str]) -> Vec<SecretString> {
    values.iter().map(|value| SecretString::from(*value)).collect()
}

fn by_header(name: &str, values: &[&str]) -> Settings {
    Settings { header: Some(HeaderSecrets::new(name, &secrets(values)).unwrap()), bearer: None }
}

/// Knows some tokens by their text.
struct FakeVerifier;

#[async_trait]
impl TokenVerifier for FakeVerifier {
    async fn verify(&self, token: &str) -> Result<Arc<VerifiedToken>, VerifyError> {
        let (client, scopes) = match token {
            "good" => (Some("0oaHook"), vec!["other", "behalf.hook"]),
            "other-client" => (Some("0oaOther"), vec!["behalf.hook"]),
            "no-client" => (None, vec!["behalf.hook"]),
            "no-scope" => (Some("0oaHook"), vec!["behalf", "behalf.hooks"]),
            "keys-away" => return Err(VerifyError::Unavailable("connection refused".to_owned())),
            _ => return Err(VerifyError::Invalid("bad signature".to_owned())),
        };
        Ok(Arc::new(VerifiedToken {
            claims: Map::new(),
            scopes: scopes.into_iter().map(str::to_owned).collect(),
            client: client.map(str::to_owned),
            expires: Timestamp::MAX,
        }))
    }

    async fn probe(&self) -> Result<(), VerifyError> {
        Ok(())
    }
}

fn bearer() -> BearerCaller {
    BearerCaller::new(Arc::new(FakeVerifier), "0oaHook", "behalf.hook").unwrap()
}

#[tokio::test]
async fn with_nothing_configured_nobody_is_let_in() {
    let okta = Okta::new(Settings::default());
    for headers in [vec![], vec![("authorization", "")], vec![("authorization", "Bearer good")]] {
        assert_eq!(fault(&okta, &headers).await.as_deref(), Some("no way to authenticate is configured"));
    }
}

#[tokio::test]
async fn the_secret_opens_and_nothing_like_it_does() {
    let okta = Okta::new(by_header(HeaderSecrets::DEFAULT_NAME, &[SECRET]));
    assert_eq!(fault(&okta, &[("authorization", SECRET)]).await, None);
    let (longer, lower) = (format!("{SECRET}="), SECRET.to_lowercase());
    for wrong in ["", "Basic", &SECRET[..SECRET.len() - 1], &SECRET[6..], &longer, &lower] {
        let fault = fault(&okta, &[("authorization", wrong)]).await;
        assert_eq!(fault.as_deref(), Some("wrong value in header `authorization`"), "{wrong}");
    }
    assert_eq!(fault(&okta, &[]).await.as_deref(), Some("no header `authorization`"));
    assert_eq!(fault(&okta, &[("x-hook", SECRET)]).await.as_deref(), Some("no header `authorization`"));
}

#[tokio::test]
async fn several_headers_of_the_name_are_refused() {
    let okta = Okta::new(by_header("authorization", &[SECRET]));
    for other in [SECRET, "wrong"] {
        let fault = fault(&okta, &[("authorization", SECRET), ("authorization", other)]).await;
        assert_eq!(fault.as_deref(), Some("several headers `authorization`"));
    }
}

#[tokio::test]
async fn while_secrets_are_rotated_both_open() {
    let okta = Okta::new(by_header("authorization", &["the old one", "the new one"]));
    for secret in ["the old one", "the new one"] {
        assert_eq!(fault(&okta, &[("authorization", secret)]).await, None, "{secret}");
    }
    assert!(fault(&okta, &[("authorization", "the odd one")]).await.is_some());
}

#[tokio::test]
async fn the_header_may_have_any_name_in_any_case() {
    let okta = Okta::new(by_header("X-Hook-Key", &[SECRET]));
    assert_eq!(fault(&okta, &[("x-hook-key", SECRET)]).await, None);
    assert!(fault(&okta, &[("authorization", SECRET)]).await.is_some());
}

#[test]
fn settings_that_would_open_to_nobody_or_to_all_are_refused() {
    let new = |name: &str, values: &[&str]| HeaderSecrets::new(name, &secrets(values)).err();
    for bad in ["", " ", "with line end\n", " leading", "a\0b", "a\nb"] {
        assert_eq!(new("authorization", &[bad]), Some(SettingsError::Secret), "{bad:?}");
        assert_eq!(new("authorization", &["good", bad]), Some(SettingsError::Secret), "{bad:?}");
    }
    assert_eq!(new("authorization", &[]), Some(SettingsError::SecretCount(0)));
    assert_eq!(new("authorization", &["a", "b", "c"]), Some(SettingsError::SecretCount(3)));
    for bad in ["", "two words", "x:y", "é"] {
        assert_eq!(new(bad, &["good"]), Some(SettingsError::HeaderName(bad.to_owned())));
    }
    for (client, scope) in [("", "s"), ("c", "")] {
        let error = BearerCaller::new(Arc::new(FakeVerifier), client, scope).err();
        assert_eq!(error, Some(SettingsError::Bearer));
    }
}

#[tokio::test]
async fn a_bearer_token_needs_the_client_and_the_scope() {
    let okta = Okta::new(Settings { header: None, bearer: Some(bearer()) });
    for good in ["Bearer good", "bearer good", "BEARER  good"] {
        assert_eq!(fault(&okta, &[("authorization", good)]).await, None, "{good}");
    }
    for (header, why) in [
        ("Bearer other-client", "the token is another client's"),
        ("Bearer no-client", "the token is another client's"),
        ("Bearer no-scope", "the token lacks the scope `behalf.hook`"),
        ("Bearer keys-away", "the issuer's keys are unavailable: connection refused"),
        ("Bearer forged", "the token is not valid: bad signature"),
        ("Basic good", "header `authorization` holds no bearer token"),
        ("Bearer ", "header `authorization` holds no bearer token"),
        ("good", "header `authorization` holds no bearer token"),
    ] {
        assert_eq!(fault(&okta, &[("authorization", header)]).await.as_deref(), Some(why), "{header}");
    }
    let doubled = [("authorization", "Bearer good"), ("authorization", "Bearer good")];
    assert_eq!(fault(&okta, &doubled).await.as_deref(), Some("several headers `authorization`"));
    assert_eq!(fault(&okta, &[]).await.as_deref(), Some("no header `authorization`"));
}

#[tokio::test]
async fn where_both_ways_are_configured_either_suffices() {
    for name in ["authorization", "x-hook-key"] {
        let okta = Okta::new(Settings { bearer: Some(bearer()), ..by_header(name, &[SECRET]) });
        assert_eq!(fault(&okta, &[(name, SECRET)]).await, None, "{name}");
        assert_eq!(fault(&okta, &[("authorization", "Bearer good")]).await, None, "{name}");
        let refused = fault(&okta, &[(name, "wrong"), ("x-other", SECRET)]).await.unwrap();
        assert!(refused.contains("wrong value") && refused.contains("; "), "{refused}");
    }
}

#[tokio::test]
async fn the_log_s_text_never_holds_what_was_sent() {
    let okta = Okta::new(Settings { bearer: Some(bearer()), ..by_header("authorization", &[SECRET]) });
    for sent in ["Basic hunter2", "Bearer hunter2", "hunter2"] {
        let fault = fault(&okta, &[("authorization", sent)]).await.unwrap();
        assert!(!fault.contains("hunter2") && !fault.contains(SECRET), "{fault}");
    }
}
