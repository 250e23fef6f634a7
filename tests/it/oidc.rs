//! Token verification against a real issuer on loopback, the outbound client, and the development authorization server.

mod dev_flow;
mod dev_hook;
mod keys;
mod stub;
mod tls;
mod tokens;

use std::{future::Future, sync::Arc, time::Duration};

use behalf::{
    adapters::{
        http_client,
        oidc::{OidcSettings, OidcVerifier, install_crypto},
    },
    demo::authorization_server::{DevClient, DevServer, DevSettings, DevUser},
    domain::ids::{Issuer, TenantName},
    metrics::Metrics,
    ports::{
        clock::{Clock as _, ManualClock},
        entropy::SeededEntropy,
    },
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

const AUDIENCE: &str = "api://default";
const CALLBACK: &str = "http://127.0.0.1:9/callback";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap()))
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn start(clock: &Arc<ManualClock>) -> DevServer {
    install_crypto();
    let client = |id: &str, secret: Option<&str>| DevClient {
        id: id.to_owned(),
        secret: secret.map(SecretString::from),
        redirect_uris: vec![CALLBACK.to_owned()],
    };
    DevServer::start(DevSettings {
        path: "/oauth2/default".to_owned(),
        audience: AUDIENCE.to_owned(),
        users: vec![DevUser {
            id: "00uagent".to_owned(),
            login: "agent@example.test".to_owned(),
            access_claims: object(&json!({"can_delegate": "True"})),
            id_claims: object(&json!({"email": "agent@example.test"})),
        }],
        clients: vec![client("app", None), client("service", Some("s3cret"))],
        scopes: ["behalf".to_owned()].into(),
        hook: None,
        clock: Arc::<ManualClock>::clone(clock),
        entropy: Arc::new(SeededEntropy::default()),
    })
    .unwrap()
}

fn settings(issuer: &str, tenant: &str) -> OidcSettings {
    OidcSettings::new(TenantName::parse(tenant).unwrap(), Issuer::parse(issuer).unwrap(), AUDIENCE)
}

fn verifier(issuer: &str, clock: &Arc<ManualClock>) -> OidcVerifier {
    install_crypto();
    let http = http_client::build(None).unwrap();
    OidcVerifier::new(settings(issuer, "default"), http, Arc::<ManualClock>::clone(clock), Arc::new(Metrics::default()))
        .unwrap()
}

/// Claims of a good token.
fn good(issuer: &str, clock: &ManualClock) -> Map<String, Value> {
    let now = clock.now().as_second();
    object(&json!({
        "iss": issuer, "aud": AUDIENCE, "iat": now, "exp": now + 3600, "jti": "AT.1",
        "cid": "app", "uid": "00uagent", "sub": "agent@example.test", "scp": ["openid", "behalf"],
    }))
}

/// Asks again and again until it is so; fails after 10 s.
async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let polled = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), polled).await.is_ok(), "not in time: {what}");
}
