//! Which tokens pass.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use behalf::{
    adapters::{
        http_client,
        oidc::{MAX_TOKEN_BYTES, OidcVerifier},
    },
    demo::authorization_server::OldKey,
    metrics::Metrics,
    ports::{
        clock::ManualClock,
        token_verifier::{TokenVerifier as _, VerifyError},
    },
};
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{
    AUDIENCE, clock, good, settings, start,
    stub::{Issuer, Signer},
    verifier,
};

fn reason(result: Result<Arc<behalf::ports::token_verifier::VerifiedToken>, VerifyError>) -> String {
    match result {
        Err(VerifyError::Invalid(why)) => why,
        Err(VerifyError::Unavailable(why)) => panic!("unavailable: {why}"),
        Ok(_) => panic!("the token passed"),
    }
}

#[tokio::test]
async fn a_good_token_passes_and_says_who() {
    let clock = clock();
    let server = start(&clock);
    let verifier = verifier(server.issuer(), &clock);
    assert_eq!(server.requests("/v1/keys"), 0, "nothing is fetched before the first token");
    let claims = good(server.issuer(), &clock);
    let token = verifier.verify(&server.sign(&claims).unwrap()).await.unwrap();
    assert_eq!(token.claims, claims);
    assert_eq!(token.text("uid"), Some("00uagent"));
    assert_eq!(token.client.as_deref(), Some("app"));
    assert!(token.scopes.contains("behalf"));
    assert_eq!(token.expires.as_second(), 1_800_003_600);
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused() {
    let clock = clock();
    let server = start(&clock);
    let verifier = verifier(server.issuer(), &clock);
    let with = |name: &str, value: Value| {
        let mut claims = good(server.issuer(), &clock);
        claims.insert(name.to_owned(), value);
        server.sign(&claims).unwrap()
    };
    let refused = [
        ("aud", json!("app"), "another audience, or none"),
        ("aud", json!(["app", "api"]), "another audience, or none"),
        ("iss", json!(server.url()), "another issuer, or none"),
        ("exp", json!(1_799_999_970), "it has expired"),
        ("nbf", json!(1_800_000_031), "it is not valid yet"),
        ("iat", json!(1_800_000_031), "it was issued in the future"),
    ];
    for (name, value, why) in refused {
        assert_eq!(reason(verifier.verify(&with(name, value.clone())).await), why, "{name} {value}");
    }
    assert!(verifier.verify(&with("aud", json!(["other", AUDIENCE]))).await.is_ok());
}

#[tokio::test]
async fn signatures_that_do_not_fit_are_refused() {
    let clock = clock();
    let (server, foreign) = (start(&clock), start(&clock));
    let verifier = verifier(server.issuer(), &clock);
    let claims = good(server.issuer(), &clock);
    let token = server.sign(&claims).unwrap();
    let parts: Vec<&str> = token.split('.').collect();

    let mut other = claims.clone();
    other.insert("uid".to_owned(), json!("00uadmin"));
    let body = URL_SAFE_NO_PAD.encode(Value::Object(other).to_string());
    let changed = format!("{}.{body}.{}", parts[0], parts[2]);
    assert_eq!(reason(verifier.verify(&changed).await), "its signature is wrong");

    let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#), parts[1]);
    reason(verifier.verify(&unsigned).await);
    reason(verifier.verify(&format!("{}.{}.", parts[0], parts[1])).await);

    let key_id = jsonwebtoken::decode_header(&token).unwrap().kid;
    let hmac = Header { kid: key_id, ..Header::new(Algorithm::HS256) };
    let forged = jsonwebtoken::encode(&hmac, &claims, &EncodingKey::from_secret(public_key(&server).await.as_bytes()));
    assert_eq!(reason(verifier.verify(&forged.unwrap()).await), "its algorithm is not its key's");

    assert_eq!(reason(verifier.verify(&foreign.sign(&claims).unwrap()).await), "its key is unknown");
    for garbage in ["", ".", "..", "a.b.c", "a.b.c.d", &token[1..], &format!("{token}.x"), &format!(" {token}")] {
        reason(verifier.verify(garbage).await);
    }
    assert!(verifier.verify(&token).await.is_ok());
}

async fn public_key(server: &behalf::demo::authorization_server::DevServer) -> String {
    let http = http_client::build(None).unwrap();
    let keys = http.get(format!("{}/v1/keys", server.issuer())).send().await.unwrap();
    keys.json::<Value>().await.unwrap()["keys"][0]["n"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn headers_are_read_strictly() {
    let clock = clock();
    let signer = Signer::ed25519("one");
    let issuer = Issuer::start(std::slice::from_ref(&signer.public));
    let verifier = verifier(issuer.url(), &clock);
    let claims = good(issuer.url(), &clock);
    let with = |change: &dyn Fn(&mut Header)| {
        let mut header = signer.header.clone();
        change(&mut header);
        signer.sign_as(&header, &claims)
    };
    for typ in ["JWT", "jwt", "at+jwt", "application/at+JWT"] {
        assert!(verifier.verify(&with(&|header| header.typ = Some(typ.to_owned()))).await.is_ok(), "{typ}");
    }
    assert!(verifier.verify(&with(&|header| header.typ = None)).await.is_ok());
    for typ in ["dpop+jwt", "logout+jwt", "", "JOSE"] {
        let token = with(&|header| header.typ = Some(typ.to_owned()));
        assert_eq!(reason(verifier.verify(&token).await), "it is of another type than an access token", "{typ}");
    }
    let critical = with(&|header| header.crit = Some(vec!["exp".to_owned()]));
    assert_eq!(reason(verifier.verify(&critical).await), "it has a crit header");
    let elsewhere = with(&|header| {
        header.kid = Some("two".to_owned());
        header.jku = Some("http://127.0.0.1:1/keys".to_owned());
        header.jwk = serde_json::from_value(signer.public.clone()).ok();
    });
    assert_eq!(reason(verifier.verify(&elsewhere).await), "its key is unknown");
}

#[tokio::test]
async fn a_token_without_a_key_id_passes_where_one_key_fits() {
    let clock = clock();
    let (one, two, ed) = (Signer::es256("one"), Signer::es256("two"), Signer::ed25519("ed"));
    let issuer = Issuer::start(&[one.public.clone(), ed.public.clone()]);
    let nameless = Header { kid: None, ..one.header.clone() };
    let token = one.sign_as(&nameless, &good(issuer.url(), &clock));
    assert!(verifier(issuer.url(), &clock).verify(&token).await.is_ok());
    issuer.publish(&[one.public.clone(), two.public.clone()]);
    assert_eq!(
        reason(verifier(issuer.url(), &clock).verify(&token).await),
        "it names no key, and the issuer has several for its algorithm"
    );
}

#[tokio::test]
async fn a_token_has_a_greatest_length() {
    let clock = clock();
    let server = start(&clock);
    let verifier = verifier(server.issuer(), &clock);
    let sized = |length: usize| {
        let mut claims = good(server.issuer(), &clock);
        claims.insert("padding".to_owned(), json!("x".repeat(length)));
        server.sign(&claims).unwrap()
    };
    let token = sized(MAX_TOKEN_BYTES);
    assert!(token.len() > MAX_TOKEN_BYTES);
    assert_eq!(reason(verifier.verify(&token).await), "it is too long");
    assert_eq!(server.requests("/v1/keys"), 0);
    let token = sized(8 * 1024);
    assert!(token.len() <= MAX_TOKEN_BYTES);
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_remembered_token_ends_with_its_minute_and_with_its_life() {
    let clock = clock();
    let server = start(&clock);
    let verifier = verifier(server.issuer(), &clock);
    let token = server.sign(&good(server.issuer(), &clock)).unwrap();
    assert!(verifier.verify(&token).await.is_ok());
    server.rotate_key(OldKey::Remove).unwrap();
    // A token of the new key makes the verifier fetch the set without the old one.
    assert!(verifier.verify(&server.sign(&good(server.issuer(), &clock)).unwrap()).await.is_ok());
    clock.advance(SignedDuration::from_secs(59));
    assert!(verifier.verify(&token).await.is_ok(), "remembered");
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(reason(verifier.verify(&token).await), "its key is unknown");

    let mut short = good(server.issuer(), &clock);
    short.insert("exp".to_owned(), json!(1_800_000_070));
    let short = server.sign(&short).unwrap();
    assert!(verifier.verify(&short).await.is_ok());
    server.rotate_key(OldKey::Remove).unwrap();
    clock.advance(SignedDuration::from_secs(9));
    assert!(verifier.verify(&short).await.is_ok(), "remembered");
    clock.advance(SignedDuration::from_secs(1));
    // It ended: it is looked at again, now within the leeway, and its key is still the one we have.
    assert!(verifier.verify(&short).await.is_ok());
    clock.advance(SignedDuration::from_secs(30));
    assert_eq!(reason(verifier.verify(&short).await), "it has expired");
}

#[tokio::test]
async fn remembered_tokens_are_counted() {
    let clock = clock();
    let server = start(&clock);
    let metrics = Arc::new(Metrics::default());
    let http = http_client::build(None).unwrap();
    let as_clock = Arc::<ManualClock>::clone(&clock);
    let settings = settings(server.issuer(), "default");
    let verifier = OidcVerifier::new(settings, http, as_clock, Arc::clone(&metrics)).unwrap();
    let token = server.sign(&good(server.issuer(), &clock)).unwrap();
    for _ in 0..4 {
        assert!(verifier.verify(&token).await.is_ok());
    }
    let mut other = good(server.issuer(), &clock);
    other.insert("jti".to_owned(), json!("AT.2"));
    assert!(verifier.verify(&server.sign(&other).unwrap()).await.is_ok());
    let text = metrics.render();
    for (cache, result, count) in [("tokens", "hit", 3), ("tokens", "miss", 2), ("keys", "hit", 1), ("keys", "miss", 1)]
    {
        let line = format!("behalf_cache_lookups_total{{cache=\"{cache}\",result=\"{result}\"}} {count}\n");
        assert!(text.contains(&line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn a_token_is_not_remembered_from_the_future() {
    let clock = clock();
    let server = start(&clock);
    let verifier = verifier(server.issuer(), &clock);
    let token = server.sign(&good(server.issuer(), &clock)).unwrap();
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance(SignedDuration::from_secs(-31));
    assert_eq!(reason(verifier.verify(&token).await), "it was issued in the future");
}

#[tokio::test]
async fn tenants_have_audiences_of_their_own() {
    let clock = clock();
    let server = start(&clock);
    let make = |tenant: &str, audience: &str| {
        let mut settings = settings(server.issuer(), tenant);
        settings.audience = audience.to_owned();
        let http = http_client::build(None).unwrap();
        let clock = Arc::<ManualClock>::clone(&clock);
        OidcVerifier::new(settings, http, clock, Arc::new(Metrics::default())).unwrap()
    };
    let (one, two) = (make("one", AUDIENCE), make("two", "api://two"));
    let token = server.sign(&good(server.issuer(), &clock)).unwrap();
    assert!(one.verify(&token).await.is_ok());
    assert_eq!(reason(two.verify(&token).await), "another audience, or none");
}

#[test]
fn an_issuer_that_is_no_url_is_refused_at_once() {
    let http = http_client::build(None).unwrap();
    for issuer in ["issuer", "ftp://x", "https://x/?tenant=1", "https://x/#y", "file:///etc/passwd"] {
        let settings = settings(issuer, "default");
        let made = OidcVerifier::new(settings, http.clone(), clock(), Arc::new(Metrics::default()));
        assert!(made.is_err(), "{issuer}");
    }
}
