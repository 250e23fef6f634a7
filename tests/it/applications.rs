//! Applications without OIDC: their tokens, and what they do with them.

mod approvals;
mod locks;
mod njwt;
mod otp;
mod otp_races;
mod tokens;

use std::{collections::BTreeSet, sync::Arc};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use behalf::{
    adapters::oidc::install_crypto,
    domain::{
        application::{Application, ApplicationKey, Right},
        approval::template::{Approver, Kind, Template},
        ids::ApplicationUri,
    },
};
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::{
    http::Answer,
    test_app::{APPLICATIONS_AUDIENCE, Setup, TestApp, uid},
};

const ERP: &str = "https://erp.example.com";
const SHOP: &str = "https://shop.example.com";
const ERP_KEY: [u8; 32] = [0xe1; 32];
const ERP_NEXT_KEY: [u8; 40] = [0xe2; 40];
const SHOP_KEY: [u8; 32] = [0x51; 32];

fn key(bytes: &[u8]) -> ApplicationKey {
    ApplicationKey::new(bytes.to_vec()).unwrap()
}

/// Bob and Eve may decide.
fn template() -> Template {
    let named = ["00ubob", "00ueve"].map(|id| Approver::User(uid(id)));
    Template::new(Kind::Approve, named.into_iter().collect())
}

fn application(uri: &str, keys: Vec<ApplicationKey>, accounts: &[&str]) -> Application {
    Application {
        uri: ApplicationUri::parse(uri).unwrap(),
        keys,
        may: BTreeSet::from([Right::Approvals, Right::LockCheck, Right::Otp]),
        accounts: accounts.iter().map(|id| uid(id)).collect(),
        approval: Some(template()),
    }
}

/// The ERP has two keys; both may do everything, for the account DBA.
fn registered() -> Setup {
    let erp = application(ERP, vec![key(&ERP_KEY), key(&ERP_NEXT_KEY)], &[crate::reservations::DBA]);
    let shop = application(SHOP, vec![key(&SHOP_KEY)], &[crate::reservations::DBA]);
    Setup { applications: vec![Arc::new(erp), Arc::new(shop)], ..Setup::default() }
}

async fn app() -> TestApp {
    app_of(registered()).await
}

async fn app_of(setup: Setup) -> TestApp {
    install_crypto();
    TestApp::with(setup).await
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn mac(algorithm: hmac::Algorithm, key: &[u8], message: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(algorithm, key), message.as_bytes());
    URL_SAFE_NO_PAD.encode(tag.as_ref())
}

/// A token, made here byte by byte: what a library refuses to make must be refused, too.
fn signed(header: &Value, claims: &Value, key: &[u8]) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    format!("{message}.{}", mac(hmac::HMAC_SHA256, key, &message))
}

fn hs256() -> Value {
    json!({"typ": "JWT", "alg": "HS256"})
}

/// What the ERP's tokens say now, with an id that never comes again.
fn claims(app: &TestApp) -> Map<String, Value> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = app.store_now().as_second();
    let claims = json!({
        "iss": ERP, "aud": APPLICATIONS_AUDIENCE, "sub": "ann@example.test", "iat": now, "nbf": now - 60,
        "exp": now + 300, "jti": format!("id-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
    });
    claims.as_object().unwrap().clone()
}

/// A good token with these changes.
fn token_with(app: &TestApp, changes: &Value) -> String {
    let mut claims = claims(app);
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
    signed(&hs256(), &Value::Object(claims), &ERP_KEY)
}

/// A good token of the ERP's.
fn token(app: &TestApp) -> String {
    token_with(app, &json!({}))
}

/// A good token of the shop's.
fn shop_token(app: &TestApp) -> String {
    let mut claims = claims(app);
    claims.insert("iss".to_owned(), json!(SHOP));
    signed(&hs256(), &Value::Object(claims), &SHOP_KEY)
}

async fn check_lock(app: &TestApp, token: &str) -> Answer {
    app.post("/v1/locks/check", token, &json!({"user": "00uann"})).await
}

/// The same with Next Level3's header.
async fn check_lock_nl3(app: &TestApp, token: &str) -> Answer {
    let request = app.request(Method::POST, "/v1/locks/check").header("x-nl3-authorization-token", token);
    app.send(request.json(&json!({"user": "00uann"}))).await
}

/// The exact reasons for which applications' tokens were refused, as the audit trail has them.
async fn refusals(app: &TestApp) -> Vec<String> {
    let refused = app.events().await.into_iter().filter(|event| event.code == "DA5000");
    refused.filter_map(|event| event.outcome.reason).collect()
}

/// So much later that whatever is told once a minute is told again.
fn next_minute(app: &TestApp) {
    app.advance(SignedDuration::from_secs(60));
}
