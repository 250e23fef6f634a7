//! `examples/client`, as a browser meets it: the application in Node.js, our binary, and an identity provider.

mod advice;
pub(crate) mod app;
mod approval;
mod browser;
mod refusals;
mod sessions;
pub(crate) mod visitor;

use std::{fs, sync::Arc};

use behalf::{
    adapters::{
        http_client,
        oidc::install_crypto,
        system::{OsEntropy, SystemClock},
    },
    demo::authorization_server::{DevClient, DevServer, DevSettings, DevUser, HookOutcome, HookTarget, PATIENCE},
    ports::clock::Clock as _,
};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use self::{app::App, visitor::Visitor};
use crate::support::{
    ports,
    process::{Service, behalf},
};

const CLIENT: &str = "example";
const SECRET: &str = "Hook of-the-example";
const ANN: &str = "ann@example.test";
const USERS: &str = "
users:
  - {id: 00uann, login: ann@example.test, status: active, profile: {firstName: Ann, lastName: Agent}}
  - {id: 00ubob, login: bob@example.test, status: active, profile: {firstName: Bob, lastName: '<b>Builder</b>'}}
  - {id: 00udan, login: dan@example.test, status: active, groups: [00gcareful]}
  - {id: 00ulou, login: lou@example.test, status: active}
  - {id: 00udora, login: dora@example.test, status: active}
";
const RULES: &str = "
[[tenants.default.rules]]
name = 'somebody looks at it'
when = { delegator_groups = ['00gcareful'] }
stages = ['approval']
approval = { type = 'approve', approvers = ['user:00udora'], reason = 'required' }
";

/// Bob, Dan and Lou let Ann act for them. Dora decides about Dan's account; Lou's is locked.
struct World {
    app: App,
    issuer: DevServer,
    service: Service,
    http: reqwest::Client,
    dir: TempDir,
}

impl World {
    /// `None` where the application can't be installed; that was said.
    async fn build() -> Option<Self> {
        install_crypto();
        let port = ports::free();
        let issuer = issuer(port);
        let dir = tempfile::tempdir().unwrap();
        let service = serve(&issuer, &dir).await;
        issuer.set_hook(Some(hook(&service)));
        let (own, port) = (service.url(""), port.to_string());
        let app = [("ISSUER", issuer.issuer()), ("BEHALF_URL", &own), ("CLIENT_ID", CLIENT), ("PORT", &port)];
        let app = App::start(&app).await?;
        let world = Self { app, issuer, service, http: http_client::build(None).unwrap(), dir };
        for delegator in ["bob", "dan", "lou"] {
            let (status, said) = world.call(Method::POST, "/v1/grants", delegator, json!({"agent": ANN})).await;
            assert_eq!(status, StatusCode::CREATED, "{said}");
        }
        let (status, said) = world.call(Method::POST, "/v1/locks", "lou", json!({"reason": "on holiday"})).await;
        assert_eq!(status, StatusCode::CREATED, "{said}");
        Some(world)
    }

    fn visitor(&self) -> Visitor {
        Visitor::of(&self.app)
    }

    /// Ann's browser, behind her sign-in.
    async fn ann(&self) -> Visitor {
        let mut ann = self.visitor();
        let home = ann.sign_in(ANN).await;
        assert_eq!(home.heading(), "You act as yourself", "{}", home.body);
        ann
    }

    /// A call of behalf's API, not by way of the application.
    async fn call(&self, method: Method, path: &str, who: &str, body: Value) -> (StatusCode, Value) {
        let now = SystemClock.now().as_second();
        let claims = json!({
            "iss": self.issuer.issuer(), "aud": "api://default", "iat": now, "exp": now + 3600, "jti": "AT.1",
            "cid": CLIENT, "uid": format!("00u{who}"), "sub": format!("{who}@example.test"), "scp": ["behalf"],
        });
        let token = self.issuer.sign(claims.as_object().unwrap()).unwrap();
        let request = self.http.request(method, self.service.url(path)).bearer_auth(token).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Dora votes on the one request that awaits her vote.
    async fn vote(&self, decision: &str, comment: &str) {
        let (_, waiting) = self.call(Method::GET, "/v1/approvals?role=approver", "dora", Value::Null).await;
        let [approval] = waiting["items"].as_array().unwrap().as_slice() else { panic!("{waiting}") };
        let path = format!("/v1/approvals/{}/votes", approval["id"].as_str().unwrap());
        let vote = json!({"decision": decision, "version": approval["version"], "comment": comment});
        let (status, said) = self.call(Method::POST, &path, "dora", vote).await;
        assert_eq!(status, StatusCode::OK, "{said}");
    }

    /// States of Ann's delegations, the latest first.
    async fn delegations(&self) -> Vec<String> {
        let (status, page) = self.call(Method::GET, "/v1/delegations", "ann", Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page["items"].as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap().to_owned()).collect()
    }

    fn last_hook(&self) -> HookOutcome {
        self.issuer.hook_log().pop().unwrap().outcome
    }
}

fn issuer(port: u16) -> DevServer {
    let user = |id: &str, name: &str| DevUser {
        id: format!("00u{id}"),
        login: format!("{id}@example.test"),
        access_claims: Map::new(),
        id_claims: json!({"name": name}).as_object().unwrap().clone(),
    };
    let callback = format!("http://127.0.0.1:{port}/callback");
    let settings = DevSettings {
        path: "/oauth2/default".to_owned(),
        audience: "api://default".to_owned(),
        users: vec![user("ann", "Ann Agent"), user("bob", "Bob Builder")],
        clients: vec![DevClient { id: CLIENT.to_owned(), secret: None, redirect_uris: vec![callback] }],
        scopes: ["behalf".to_owned()].into(),
        hook: None,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    };
    DevServer::start(settings).unwrap()
}

/// Our binary in a folder.
async fn serve(issuer: &DevServer, dir: &TempDir) -> Service {
    fs::write(dir.path().join("users.yaml"), USERS).unwrap();
    fs::write(dir.path().join("behalf.toml"), RULES).unwrap();
    let mut command = behalf(dir.path(), &["serve"]);
    command.envs([
        ("BEHALF_BIND", "127.0.0.1:0"),
        ("BEHALF_ISSUER", issuer.issuer()),
        ("BEHALF_AUDIENCE", "api://default"),
        ("BEHALF_HOOK_SECRET", SECRET),
    ]);
    Service::start(&mut command).await
}

fn hook(service: &Service) -> HookTarget {
    HookTarget {
        url: service.url("/hooks/okta"),
        header: "authorization".to_owned(),
        secret: SECRET.into(),
        patience: PATIENCE,
    }
}

#[tokio::test]
async fn somebody_acts_and_returns_to_herself() {
    let Some(world) = World::build().await else { return };
    let mut ann = world.visitor();
    assert_eq!(ann.get("/").await.heading(), "Sign in");
    let home = ann.sign_in(ANN).await;
    assert_eq!((home.heading(), home.text("me")), ("You act as yourself".to_owned(), "Ann Agent".to_owned()));
    assert_eq!(home.row("uid"), [r#""00uann""#]);
    assert!(home.body.contains("Bob &lt;b&gt;Builder&lt;/b&gt;"), "names are text: {}", home.body);

    let acting = ann.press(&home, "Act for bob@example.test", &[("reason", "invoice run")]).await;
    assert_eq!(acting.heading(), "You act on behalf of bob@example.test", "{}", acting.body);
    assert_eq!(acting.row("on_behalf_sub"), ["", r#""bob@example.test""#, "added"]);
    assert_eq!(acting.row("uid"), [r#""00uann""#, r#""00uann""#, ""], "who acts stays");
    assert_eq!((world.last_hook(), world.delegations().await), (HookOutcome::Applied, vec!["CONSUMED".to_owned()]));

    let home = ann.press(&acting, "Return to yourself", &[]).await;
    assert_eq!((home.heading(), home.row("on_behalf_sub").len()), ("You act as yourself".to_owned(), 0));
    let status = world.issuer.hook_log().pop().unwrap().status;
    assert_eq!(status, Some(204), "a refresh without an id leaves behalf out");

    // And again: the refresh token was rotated twice, and is still good.
    let acting = ann.press(&home, "Act for bob@example.test", &[]).await;
    assert_eq!(acting.heading(), "You act on behalf of bob@example.test");
    let out = ann.press(&acting, "Sign out", &[]).await;
    assert_eq!(out.heading(), "Sign in");
}

/// Browsers get cookies that scripts can't read, and never a token.
#[tokio::test]
async fn tokens_stay_with_the_server() {
    let Some(world) = World::build().await else { return };
    let mut ann = world.ann().await;
    let home = ann.get("/").await;
    let acting = ann.press(&home, "Act for bob@example.test", &[]).await;
    assert!(!ann.seen.contains("eyJ"), "a token was sent to the browser: {}", ann.seen);
    assert!(!ann.seen.contains("dlg_"), "a delegation id was sent to the browser: {}", ann.seen);
    let cookies: Vec<_> = ann.seen.lines().filter(|line| line.starts_with("set-cookie: ")).collect();
    assert!(cookies.len() >= 2, "before and at the sign-in: {cookies:?}");
    assert!(cookies.iter().all(|cookie| cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax")), "{cookies:?}");
    for (header, wanted) in [("cache-control", "no-store"), ("content-security-policy", "default-src 'none'")] {
        assert!(acting.headers[header].to_str().unwrap().contains(wanted), "{:?}", acting.headers);
    }
    assert!(world.dir.path().join("data").is_dir(), "the store is where it was run");
}
