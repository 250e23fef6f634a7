//! Our binary behind an authorization server that we did not write: npm's oidc-provider signs the tokens, and asks our
//! hook as Okta does (`oidc_provider/hook.mjs`).

mod example;
mod peer;
mod strictness;

use std::{fs, path::Path};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use self::peer::{Provider, Session};
use crate::support::process::{Service, behalf};

const SECRET: &str = "Hook a-long-secret-of-the-provider";
const BOB: &str = "bob@example.test";

/// The provider, and our binary as its hook.
struct World {
    provider: Provider,
    service: Service,
    dir: TempDir,
}

impl World {
    /// `None` where the provider isn't there and can't be installed; that was said.
    async fn build() -> Option<Self> {
        let mut provider = Provider::start().await?;
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "users.yaml", USERS);
        write(dir.path(), "behalf.toml", RULES);
        let mut command = behalf(dir.path(), &["serve"]);
        command.envs([
            ("BEHALF_BIND", "127.0.0.1:0"),
            ("BEHALF_ISSUER", provider.issuer.as_str()),
            ("BEHALF_AUDIENCE", "api://default"),
            ("BEHALF_USER_CLAIM", "sub"),
            ("BEHALF_HOOK_SECRET", SECRET),
            ("BEHALF_ACCESS_CLAIMS", "department costCenter"),
            ("BEHALF_IDENTITY_CLAIMS", "department"),
        ]);
        let service = Service::start(&mut command).await;
        provider.set_hook(&service.url("/hooks/okta"), SECRET).await;
        let world = Self { provider, service, dir };
        let bob = world.provider.sign_in(BOB, "csrf-of-bob").await.unwrap();
        let (status, said) = world.call(Method::POST, "/v1/grants", &bob, json!({"agent": "ann@example.test"})).await;
        assert_eq!(status, StatusCode::CREATED, "{said}");
        Some(world)
    }

    async fn ann(&self) -> Session {
        self.provider.sign_in("ann@example.test", "csrf-of-ann").await.unwrap()
    }

    async fn call(&self, method: Method, path: &str, who: &Session, body: Value) -> (StatusCode, Value) {
        let request = self.provider.http.request(method, self.service.url(path)).bearer_auth(&who.access).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Begins a delegation for Bob.
    async fn begin(&self, who: &Session) -> String {
        let (status, begun) = self.call(Method::POST, "/v1/delegations", who, json!({"delegator": BOB})).await;
        assert_eq!(status, StatusCode::CREATED, "{begun}");
        begun["delegationid"].as_str().unwrap().to_owned()
    }

    /// The claims of a token, after its signature was checked with the provider's published keys.
    async fn claims(&self, token: &str, audience: &str) -> Map<String, Value> {
        let get = async |url: &str| self.provider.http.get(url).send().await.unwrap();
        let discovery = format!("{}/.well-known/openid-configuration", self.provider.issuer);
        let discovery: Value = get(&discovery).await.json().await.unwrap();
        let keys: JwkSet = get(discovery["jwks_uri"].as_str().unwrap()).await.json().await.unwrap();
        let header = jsonwebtoken::decode_header(token).unwrap();
        let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_issuer(&[&self.provider.issuer]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        jsonwebtoken::decode(token, &key, &rules).unwrap().claims
    }

    async fn access(&self, of: &Session) -> Map<String, Value> {
        self.claims(&of.access, "api://default").await
    }

    async fn assert_delegated(&self, of: &Session) {
        let access = self.access(of).await;
        assert_eq!(access["on_behalf"], "True");
        assert_eq!(access["on_behalf_sub"], BOB);
        assert_eq!(access["can_delegate"], "False");
        assert_eq!(access["sub"], "00u1ann", "who acts stays");
        assert_eq!(access["department"], "Operations", "replaced by the delegator's");
        assert_eq!(access["costCenter"], "4711", "added from the delegator");
        assert_eq!(lifetime(&access), 600, "the rule's");
        let identity = self.claims(of.identity.as_deref().unwrap(), "app").await;
        assert_eq!(identity["department"], "Operations");
        assert_eq!(identity["sub"], "00u1ann");
    }

    async fn assert_plain(&self, of: &Session) {
        let access = self.access(of).await;
        let mut kept = access.clone();
        kept.retain(|name, _| !["iat", "exp", "jti"].contains(&name.as_str()));
        let plain = json!({
            "ver": 1, "iss": self.provider.issuer, "aud": "api://default", "cid": "app", "client_id": "app",
            "sub": "00u1ann", "scope": "behalf", "can_delegate": "True", "department": "Engineering",
        });
        assert_eq!(Value::Object(kept), plain);
        assert_eq!(lifetime(&access), 3600);
        let identity = self.claims(of.identity.as_deref().unwrap(), "app").await;
        assert_eq!(identity["department"], "Engineering");
        assert!(!identity.contains_key("on_behalf_sub"), "{identity:?}");
    }
}

fn lifetime(claims: &Map<String, Value>) -> u64 {
    claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap()
}

fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).unwrap();
}

const USERS: &str = "
users:
  - {id: 00u1ann, login: ann@example.test, status: active, profile: {department: Engineering}}
  - {id: 00u2bob, login: bob@example.test, status: active, profile: {department: Operations, costCenter: '4711'}}
";
const RULES: &str = "
[[tenants.default.rules]]
name = 'short tokens'
max_token_lifetime = '10m'
";

#[tokio::test]
async fn delegated_by_state_in_the_form() {
    let Some(world) = World::build().await else { return };
    let ann = world.ann().await;
    world.assert_plain(&ann).await;
    let id = world.begin(&ann).await;
    let delegated = world.provider.refresh(&ann, "", Some(&id)).await.unwrap();
    world.assert_delegated(&delegated).await;
    let after = world.provider.refresh(&delegated, "", None).await.unwrap();
    world.assert_plain(&after).await;
}

#[tokio::test]
async fn delegated_by_the_query_of_the_token_url() {
    let Some(mut world) = World::build().await else { return };
    let ann = world.ann().await;
    let id = world.begin(&ann).await;
    let delegated = world.provider.refresh(&ann, &format!("?delegationid={id}"), None).await.unwrap();
    world.assert_delegated(&delegated).await;
    let calls = world.provider.calls().await;
    assert_eq!(calls.last().unwrap()["outcome"], "applied");

    // A delegated token is still this user's, but it can't begin another delegation.
    let (status, said) = world.call(Method::POST, "/v1/delegations", &delegated, json!({"delegator": BOB})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{said}");
}

#[tokio::test]
async fn the_second_use_gives_no_token_and_uses_nothing_up() {
    let Some(mut world) = World::build().await else { return };
    let ann = world.ann().await;
    let id = world.begin(&ann).await;
    let query = format!("?delegationid={id}");
    let delegated = world.provider.refresh(&ann, &query, None).await.unwrap();
    let refused = world.provider.refresh(&delegated, &query, None).await.unwrap_err();
    assert_eq!(refused["error"], "server_error");
    let told = refused["error_description"].as_str().unwrap();
    assert!(told.contains("(delegation-not-usable)"), "{told}");
    assert_eq!(world.provider.calls().await.last().unwrap()["outcome"], "refused");

    // The refresh token is as good as before.
    let after = world.provider.refresh(&delegated, "", None).await.unwrap();
    world.assert_plain(&after).await;
}

#[tokio::test]
async fn a_refresh_without_an_id_is_untouched() {
    let Some(mut world) = World::build().await else { return };
    let mut session = world.ann().await;
    for _ in 0..2 {
        session = world.provider.refresh(&session, "", None).await.unwrap();
        world.assert_plain(&session).await;
    }
    let calls = world.provider.calls().await;
    // Bob's login, Ann's login, her two refreshes: one call each, none with an answer to follow.
    assert_eq!(calls.iter().map(|call| &call["status"]).collect::<Vec<_>>(), [204; 4]);
}

#[tokio::test]
async fn the_state_of_a_login_is_spent_with_it() {
    let Some(world) = World::build().await else { return };
    let id = world.begin(&world.ann().await).await;
    let mut session = world.provider.sign_in("ann@example.test", &id).await.unwrap();
    world.assert_delegated(&session).await;
    for _ in 0..3 {
        session = world.provider.refresh(&session, "", None).await.unwrap();
        world.assert_plain(&session).await;
    }
}

#[tokio::test]
async fn only_what_the_provider_signed_is_a_users_token() {
    let Some(world) = World::build().await else { return };
    let ann = world.ann().await;
    let (status, list) = world.call(Method::GET, "/v1/grants/delegators", &ann, Value::Null).await;
    assert_eq!((status, &list["items"][0]["login"]), (StatusCode::OK, &json!(BOB)), "{list}");

    let (signed, signature) = ann.access.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    let forged = Session { access: format!("{signed}.{turned}"), ..ann.clone() };
    let id_token = Session { access: ann.identity.clone().unwrap(), ..ann };
    for wrong in [forged, id_token] {
        let (status, said) = world.call(Method::GET, "/v1/grants/delegators", &wrong, Value::Null).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{said}");
    }
    assert!(world.dir.path().join("data").is_dir(), "the store is where it was run");
}
