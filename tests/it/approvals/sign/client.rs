//! An approver's own program: it keeps a key, and answers challenges.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use behalf::{
    app::keys::KeyPolicy,
    domain::approval::{
        ApprovalId, Template,
        template::{Kind, SignatureLevel},
    },
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    approvals::rig::{app_with, named, path, pending, template},
    support::{
        http::Answer,
        test_app::{Setup, TestApp, user},
    },
};

pub(super) use crate::approvals::rig::{asked, codes, shown, state, vote};

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

/// A key pair, and what the service knows of it.
pub(super) struct Signer {
    pair: Pair,
    pub(super) jwk: Value,
    pub(super) kid: String,
}

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub(super) fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = b64(pair.public_key());
        let jwk = json!({"crv": "Ed25519", "kty": "OKP", "x": x});
        Self { pair: Pair::Ed25519(pair), kid: thumbprint(&jwk), jwk }
    }

    pub(super) fn p256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let jwk = json!({"crv": "P-256", "kty": "EC", "x": b64(x), "y": b64(y)});
        Self { pair: Pair::P256(pair), kid: thumbprint(&jwk), jwk }
    }

    fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Ed25519(_) => "EdDSA",
            Pair::P256(_) => "ES256",
        }
    }

    fn raw(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::P256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
        }
    }

    /// A detached JWS under this header.
    pub(super) fn under(&self, header: &Value, payload: &str) -> String {
        let header = b64(header.to_string());
        let signature = self.raw(format!("{header}.{}", b64(payload)).as_bytes());
        format!("{header}..{}", b64(signature))
    }

    pub(super) fn header(&self) -> Value {
        json!({"alg": self.alg(), "kid": self.kid, "typ": "approval+jws"})
    }

    /// The answer to a challenge.
    pub(super) fn answer(&self, challenge: &Value) -> Value {
        self.answer_under(&self.header(), challenge)
    }

    pub(super) fn answer_under(&self, header: &Value, challenge: &Value) -> Value {
        let jws = self.under(header, challenge["statement"].as_str().unwrap());
        json!({"level": "jws", "nonce": challenge["nonce"], "jws": jws})
    }
}

/// RFC 7638, for members that are in order already.
fn thumbprint(jwk: &Value) -> String {
    b64(Sha256::digest(jwk.to_string()))
}

/// Ada, Ben and Cleo have names and tokens that were made by a sign-in just now.
pub(super) async fn app() -> TestApp {
    app_of(KeyPolicy::default()).await
}

pub(super) async fn app_of(keys: KeyPolicy) -> TestApp {
    let app = app_with(Setup { keys, ..Setup::default() }).await;
    for (name, last) in [("ada", "Lovelace"), ("ben", "Žižka"), ("cleo", "Patra"), ("eve", "Other")] {
        let profile = json!({"firstName": capitalised(name), "lastName": last});
        app.directory.put(user(&format!("00u{name}"), &format!("{name}@example.test"), &profile));
        signed_in(&app, name, SignedDuration::ZERO);
    }
    app
}

fn capitalised(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

/// His token says that he signed in so long ago.
pub(super) fn signed_in(app: &TestApp, name: &str, ago: SignedDuration) {
    let at = app.store_now().saturating_sub(ago).unwrap().as_second();
    let claims = json!({"uid": format!("00u{name}"), "auth_time": at, "amr": ["pwd", "otp"]});
    app.token(name, &claims, &["openid", "behalf"]);
}

/// One signature of any level, by one of the three.
pub(super) fn signing() -> Template {
    let approvers = named(&["user:00uada", "user:00uben", "user:00ucleo"]);
    Template::new(Kind::SignAndApprove, approvers)
}

pub(super) fn by_key_only() -> Template {
    Template { signatures: [SignatureLevel::Jws].into(), ..signing() }
}

pub(super) fn unsigned() -> Template {
    template()
}

pub(super) async fn register(app: &TestApp, token: &str, key: &Signer) -> Answer {
    app.post("/v1/me/keys", token, &json!({"jwk": key.jwk, "name": "laptop"})).await
}

/// Registered, and good from now on.
pub(super) async fn enrolled(app: &TestApp, token: &str, key: Signer) -> Signer {
    let answer = register(app, token, &key).await;
    assert_eq!((answer.status.as_u16(), &answer.json["state"]), (201, &json!("ACTIVE")), "{}", answer.text);
    key
}

pub(super) async fn ask(app: &TestApp, id: ApprovalId, token: &str, decision: &str) -> Answer {
    app.post(&path(id, "/challenges"), token, &json!({"decision": decision})).await
}

/// A challenge that was given out.
pub(super) async fn challenge(app: &TestApp, id: ApprovalId, token: &str, decision: &str) -> Value {
    let answer = ask(app, id, token, decision).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json
}

pub(super) async fn vote_signed(
    app: &TestApp,
    id: ApprovalId,
    token: &str,
    decision: &str,
    signature: &Value,
) -> Answer {
    let body = json!({"decision": decision, "version": 1, "signature": signature});
    app.post(&path(id, "/votes"), token, &body).await
}

pub(super) fn typed(challenge: &Value, name: &str) -> Value {
    json!({"level": "typed", "nonce": challenge["nonce"], "name": name, "meaning": challenge["meaning"]})
}

/// Another request of Ann's, beside the first one.
pub(super) async fn asked_besides(app: &TestApp, template: Template) -> ApprovalId {
    let mut want = crate::approvals::rig::Want::of(template);
    want.reason = Some("something else".to_owned());
    pending(crate::approvals::rig::ensure(app, &want).await).id
}

/// The exact reason of the last event.
pub(super) async fn last_reason(app: &TestApp) -> (String, Option<String>) {
    app.trail().await.pop().unwrap()
}

/// Nothing was decided.
pub(super) async fn still_waits(app: &TestApp, id: ApprovalId) {
    let item = shown(app, id).await;
    assert_eq!((&item["state"], &item["revision"], &item["votes"]), (&json!("PENDING"), &json!(1), &json!([])));
}
