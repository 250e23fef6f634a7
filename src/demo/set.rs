//! What the story is played on: behalf itself, the development authorization server, and the people.

use std::{path::PathBuf, sync::Arc, time::Duration};

use actix_web::dev::ServerHandle;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use reqwest::{Client, Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{
    authorization_server::{DevClient, DevServer, DevSettings, DevUser, HookTarget, PATIENCE},
    client::{self, Session},
    say::say,
};
use crate::{
    adapters::{
        http_client,
        system::{OsEntropy, SystemClock},
    },
    app::{Services, sealer::Sealer},
    boot::Behalf,
    config::Config,
    ports::entropy,
};

/// The app's client id.
pub(super) const CLIENT: &str = "demo-app";
/// Where its codes go; nothing listens there, the app reads the redirect itself.
pub(super) const REDIRECT: &str = "http://127.0.0.1/callback";

/// Somebody in the story.
struct Person {
    id: &'static str,
    login: &'static str,
    first: &'static str,
    last: &'static str,
    cost_center: Option<&'static str>,
    administrator: bool,
}

const fn person(id: &'static str, login: &'static str, first: &'static str, last: &'static str) -> Person {
    Person { id, login, first, last, cost_center: None, administrator: false }
}

const PEOPLE: [Person; 4] = [
    Person { cost_center: Some("1000"), ..person("00u1ann", "ann@example.test", "Ann", "Agent") },
    Person { cost_center: Some("4711"), ..person("00u2bob", "bob@example.test", "Bob", "Builder") },
    person("00u3eve", "eve@example.test", "Eve", "Other"),
    Person { administrator: true, ..person("00u4carol", "carol@example.test", "Carol", "Admin") },
];

/// Everything that runs.
pub(super) struct Set {
    pub(super) http: Client,
    pub(super) api: String,
    pub(super) issuer: DevServer,
    behalf: Behalf,
    server: ServerHandle,
    users_file: PathBuf,
}

impl Set {
    /// Starts behalf by its real configuration, on free ports of the loopback interface.
    pub(super) async fn build() -> Result<Self, String> {
        let why = |error: &dyn std::fmt::Display| error.to_string();
        let random = URL_SAFE_NO_PAD.encode(entropy::bytes::<24>(&OsEntropy));
        let users_file = std::env::temp_dir().join(format!("behalf-demo-{random}.yaml"));
        std::fs::write(&users_file, users()).map_err(|e| format!("{}: {e}", users_file.display()))?;
        let issuer = DevServer::start(issuer_settings()).map_err(|e| why(&e))?;
        let secret = format!("Demo {random}");
        let config = Config::load(variables(issuer.issuer(), &secret, &users_file), std::path::Path::new(""))
            .map_err(|e| why(&e))?;
        let behalf =
            Behalf::assemble(&config, Arc::new(SystemClock), Arc::new(OsEntropy)).await.map_err(|e| why(&e))?;
        let (server, addresses) = behalf.listen(&config).map_err(|e| why(&e))?;
        let handle = server.handle();
        tokio::spawn(server);
        behalf.set_ready(true);
        let api = format!("http://{}", addresses.first().ok_or("behalf listens nowhere")?);
        issuer.set_hook(Some(HookTarget {
            url: format!("{api}/hooks/okta"),
            header: "authorization".to_owned(),
            secret: SecretString::from(secret),
            patience: PATIENCE,
        }));
        let http = http_client::build(None).map_err(|e| why(&e))?;
        Ok(Self { http, api, issuer, behalf, server: handle, users_file })
    }

    /// Signs a user in to the app.
    pub(super) async fn sign_in(&self, login: &str) -> Result<Session, String> {
        client::sign_in(&self.http, self.issuer.issuer(), login, &OsEntropy).await
    }

    /// Refreshes a session's tokens, with or without a delegation id.
    pub(super) async fn refresh(&self, old: &Session, id: Option<&str>) -> Result<Session, String> {
        client::refresh(&self.http, self.issuer.issuer(), old, id).await
    }

    /// Calls behalf and demands this status.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        who: &Session,
        body: Option<Value>,
        expected: StatusCode,
    ) -> Result<Value, String> {
        let url = format!("{}{path}", self.api);
        let (status, answer) = client::call(&self.http, method.clone(), url, who, body).await?;
        if status != expected {
            return Err(format!("{method} {path} answered {status} instead of {expected}: {answer}"));
        }
        Ok(answer)
    }

    /// What seals the trail, and over what.
    pub(super) fn audit(&self) -> (&Services, &Sealer) {
        (&self.behalf.state.services, &self.behalf.sealer)
    }

    /// Lets the store's time jump ahead, in the demo only, so that nobody has to wait.
    pub(super) fn jump_ahead(&self, by: SignedDuration) {
        if let Some(store) = self.behalf.store.embedded() {
            store.set_clock_offset(by);
        }
    }

    /// Prints commands that work while the demo runs on.
    pub(super) async fn print_commands(&self) -> Result<(), String> {
        let (ann, bob) = (self.sign_in("ann@example.test").await?, self.sign_in("bob@example.test").await?);
        let (carol, eve) = (self.sign_in("carol@example.test").await?, self.sign_in("eve@example.test").await?);
        let (api, token) = (&self.api, format!("{}/v1/token", self.issuer.issuer()));
        say(&format!(
            "\nIt runs on; Ctrl-C ends it. To try (the tokens are good for an hour; the store's clock is ahead by the \
             demo's 61 s, so times in answers are, too):\n\n\
             ANN='{}'\nBOB='{}'\nCAROL='{}'\nEVE='{}'\nREFRESH='{}'\n\
             echo '# for whom may Ann act, and whom does Bob let act for him?'\n\
             curl -s {api}/v1/grants/delegators -H \"authorization: Bearer $ANN\"\n\
             curl -s {api}/v1/grants -H \"authorization: Bearer $BOB\"\n\
             echo '# Ann begins a delegation and refreshes with its id; a new refresh token comes in place of the old one'\n\
             ID=$(curl -s {api}/v1/delegations -H \"authorization: Bearer $ANN\" -H 'content-type: application/json' \\\n  \
             -d '{{\"delegator\":\"bob@example.test\"}}' | sed 's/.*\"delegationid\":\"\\([^\"]*\\)\".*/\\1/')\n\
             R=$(curl -s \"{token}?delegationid=$ID\" -d grant_type=refresh_token -d client_id={CLIENT} -d refresh_token=$REFRESH)\n\
             echo \"$R\"\n\
             REFRESH=$(echo \"$R\" | sed 's/.*\"refresh_token\":\"\\([^\"]*\\)\".*/\\1/')\n\
             echo '# the claims of the new access token: on_behalf and on_behalf_sub'\n\
             echo \"$R\" | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/' | cut -d. -f2 | sed 's/-/+/g; s/_/\\//g; s/$/==/' \
             | base64 -d 2>/dev/null || true; echo\n\
             echo '# Eve may not act for Bob; Carol, the administrator, reads why'\n\
             curl -s {api}/v1/delegations -H \"authorization: Bearer $EVE\" -H 'content-type: application/json' \\\n  \
             -d '{{\"delegator\":\"bob@example.test\"}}'\n\
             curl -s {api}/v1/audit -H \"authorization: Bearer $CAROL\"\n\
             curl -s {api}/healthz; curl -s {api}/metrics | grep '^behalf_hooks'\n\n\
             in a browser: {api}/docs/",
            ann.access, bob.access, carol.access, eve.access, ann.refresh,
        ));
        Ok(())
    }

    /// Ends everything.
    pub(super) async fn strike(self) {
        self.server.stop(true).await;
        self.behalf.shut_down(Duration::from_secs(5)).await;
        self.issuer.stop().await;
        if let Err(error) = std::fs::remove_file(&self.users_file) {
            say(&format!("{} is left over: {error}", self.users_file.display()));
        }
    }
}

fn variables(issuer: &str, secret: &str, users: &std::path::Path) -> Vec<(String, String)> {
    let users = users.display().to_string();
    [
        ("BEHALF_BIND", "127.0.0.1:0"),
        ("BEHALF_WORKERS", "2"),
        ("BEHALF_STORE", "memory"),
        ("BEHALF_ISSUER", issuer),
        ("BEHALF_AUDIENCE", "api://default"),
        ("BEHALF_HOOK_SECRET", secret),
        ("BEHALF_USERS_FILE", &users),
        ("BEHALF_ACCESS_CLAIMS", "costCenter"),
        ("BEHALF_IDENTITY_CLAIMS", "costCenter"),
        ("BEHALF_ADMIN_CLAIM", "groups"),
        ("BEHALF_ADMIN_VALUE", "behalf-admins"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The directory's file. JSON is YAML, too.
fn users() -> String {
    let user = |who: Person| {
        let mut profile = json!({"firstName": who.first, "lastName": who.last, "email": who.login});
        if let Some(cost) = who.cost_center {
            profile["costCenter"] = json!(cost);
        }
        json!({"id": who.id, "login": who.login, "status": "active", "profile": profile})
    };
    json!({"users": PEOPLE.map(user)}).to_string()
}

fn issuer_settings() -> DevSettings {
    let user = |who: Person| {
        let mut claims = Map::new();
        claims.insert("can_delegate".to_owned(), json!("True"));
        if let Some(cost) = who.cost_center {
            claims.insert("costCenter".to_owned(), json!(cost));
        }
        if who.administrator {
            claims.insert("groups".to_owned(), json!(["behalf-admins"]));
        }
        let names = json!({"name": format!("{} {}", who.first, who.last)});
        DevUser {
            id: who.id.to_owned(),
            login: who.login.to_owned(),
            access_claims: claims,
            id_claims: names.as_object().cloned().unwrap_or_default(),
        }
    };
    DevSettings {
        path: "/oauth2/default".to_owned(),
        audience: "api://default".to_owned(),
        users: PEOPLE.map(user).to_vec(),
        clients: vec![DevClient { id: CLIENT.to_owned(), secret: None, redirect_uris: vec![REDIRECT.to_owned()] }],
        scopes: ["behalf".to_owned()].into(),
        hook: None,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    }
}
