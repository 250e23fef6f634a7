//! What the story is played on: behalf itself, the development authorization server, and the people.

use std::{path::Path, sync::Arc, time::Duration};

use actix_web::dev::ServerHandle;
use jiff::SignedDuration;
use reqwest::{Client, Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    authorization_server::{DevServer, HookTarget, PATIENCE},
    backstage::Backstage,
    client::{self, OWN_STATE, Session},
    people::{self, ANN, BEN, BOB, CAROL, CLIENT, DORA, EVE, EXAMPLE},
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
};

/// For who tries it after the story, in which nobody acts for Ben. The file isn't the one of [`super::pair`].
const RULES: &str = r#"[[tenants.default.rules]]
name = "somebody looks at it"
when = { delegator_groups = ["00g2clerks"] }
stages = ["approval"]
approval = { type = "approve", approvers = ["user:00u5dora"], reason = "required" }
"#;

/// Everything that runs.
pub(super) struct Set {
    pub(super) http: Client,
    pub(super) api: String,
    pub(super) issuer: DevServer,
    behalf: Behalf,
    server: ServerHandle,
}

impl Set {
    /// Starts behalf by its real configuration, on free ports of the loopback interface.
    pub(super) async fn build(backstage: &Backstage, random: &str) -> Result<Self, String> {
        let why = |error: &dyn std::fmt::Display| error.to_string();
        let users_file = backstage.write("users.yaml", people::users())?;
        let issuer = people::issuer().map_err(|e| why(&e))?;
        let secret = format!("Demo {random}");
        let mut variables = variables(issuer.issuer(), &secret, &users_file);
        let rules = backstage.write("rules.toml", RULES)?;
        variables.push(("BEHALF_CONFIG".to_owned(), rules.display().to_string()));
        let config = Config::load(variables, Path::new("")).map_err(|e| why(&e))?;
        let behalf =
            Behalf::assemble(&config, Arc::new(SystemClock), Arc::new(OsEntropy)).await.map_err(|e| why(&e))?;
        let (server, addresses) = behalf.listen(&config).map_err(|e| why(&e))?;
        let handle = server.handle();
        tokio::spawn(server);
        behalf.set_ready(true);
        let api = format!("http://{}", addresses.first().ok_or("behalf listens nowhere")?);
        issuer.set_hook(Some(hook_at(&api, secret)));
        let http = http_client::build(None).map_err(|e| why(&e))?;
        Ok(Self { http, api, issuer, behalf, server: handle })
    }

    /// Signs a user in to the app.
    pub(super) async fn sign_in(&self, login: &str) -> Result<Session, String> {
        client::sign_in(&self.http, self.issuer.issuer(), login, OWN_STATE, &OsEntropy).await
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

    /// Prints commands that work while the demo runs on. The variables are those of `docs/clients.md`.
    pub(super) async fn print_commands(&self) -> Result<(), String> {
        let (ann, bob) = (self.sign_in(ANN).await?, self.sign_in(BOB).await?);
        let (carol, eve) = (self.sign_in(CAROL).await?, self.sign_in(EVE).await?);
        let (ben, dora) = (self.sign_in(BEN).await?, self.sign_in(DORA).await?);
        let grant = Some(json!({"agent": ANN}));
        self.call(Method::POST, "/v1/grants", &ben, grant, StatusCode::CREATED).await?;
        say(&format!(
            "\nIt runs on; Ctrl-C ends it. To try (the tokens are good for an hour; the store's clock is ahead by the \
             demo's 61 s, so times in answers are, too):\n\n\
             BEHALF_URL={} ISSUER={} CLIENT_ID={CLIENT}\n\
             ACCESS='{}'\nREFRESH='{}'\nBOB='{}'\nCAROL='{}'\nDORA='{}'\nEVE='{}'\n{COMMANDS}",
            self.api,
            self.issuer.issuer(),
            ann.access,
            ann.refresh,
            bob.access,
            carol.access,
            dora.access,
            eve.access,
        ));
        let (api, issuer) = (&self.api, self.issuer.issuer());
        say(&format!(
            "\nin a browser: {api}/docs/\n\n\
             an application that does this for its users, from behalf's sources, with Node.js 18.17 or newer:\n\
             npm ci --prefix examples/client\n\
             ISSUER={issuer} BEHALF_URL={api} CLIENT_ID={CLIENT} node examples/client/main.mjs\n\
             then in a browser, as {ANN}: {EXAMPLE}/\n\
             for {BEN} somebody has to approve first: ask there, then say yes as {DORA} by the last \
             commands above"
        ));
        Ok(())
    }

    /// Ends everything.
    pub(super) async fn strike(self) {
        self.server.stop(true).await;
        self.behalf.shut_down(Duration::from_secs(5)).await;
        self.issuer.stop().await;
    }
}

/// Ann's `ACCESS` and `REFRESH`, and tokens of the others, are set before it.
const COMMANDS: &str = r#"echo '# for whom may Ann act, and whom does Bob let act for him?'
curl -s $BEHALF_URL/v1/grants/delegators -H "authorization: Bearer $ACCESS"
curl -s $BEHALF_URL/v1/grants -H "authorization: Bearer $BOB"
echo '# Ann begins a delegation and refreshes with its id; a new refresh token comes in place of the old one'
ID=$(curl -s $BEHALF_URL/v1/delegations -H "authorization: Bearer $ACCESS" -H 'content-type: application/json' \
  -d '{"delegator":"bob@example.test"}' | sed 's/.*"delegationid":"\([^"]*\)".*/\1/')
R=$(curl -s "$ISSUER/v1/token?delegationid=$ID" -d grant_type=refresh_token -d client_id=$CLIENT_ID -d refresh_token=$REFRESH)
echo "$R"
REFRESH=$(echo "$R" | sed 's/.*"refresh_token":"\([^"]*\)".*/\1/')
echo '# the claims of the new access token: on_behalf and on_behalf_sub'
echo "$R" | sed 's/.*"access_token":"\([^"]*\)".*/\1/' | cut -d. -f2 | sed 's/-/+/g; s/_/\//g; s/$/==/' | base64 -d 2>/dev/null || true; echo
echo '# Eve may not act for Bob; Carol, the administrator, reads why'
curl -s $BEHALF_URL/v1/delegations -H "authorization: Bearer $EVE" -H 'content-type: application/json' \
  -d '{"delegator":"bob@example.test"}'
curl -s $BEHALF_URL/v1/audit -H "authorization: Bearer $CAROL"
curl -s $BEHALF_URL/healthz; curl -s $BEHALF_URL/metrics | grep '^behalf_hooks'
echo '# for Ben somebody has to approve first: Ann is told to wait'
curl -s $BEHALF_URL/v1/delegations -H "authorization: Bearer $ACCESS" -H 'content-type: application/json' \
  -d '{"delegator":"ben@example.test","reason":"invoice run"}'
echo '# Dora looks at what waits for her, and says yes; then Ann begins again in the same words'
APPROVAL=$(curl -s "$BEHALF_URL/v1/approvals?role=approver&limit=1" -H "authorization: Bearer $DORA")
echo "$APPROVAL"
curl -s $BEHALF_URL/v1/approvals/$(echo "$APPROVAL" | sed 's/.*"id":"\(apr_[^"]*\)".*/\1/')/votes -H "authorization: Bearer $DORA" \
  -H 'content-type: application/json' -d "{\"decision\":\"approve\",\"version\":$(echo "$APPROVAL" | sed 's/.*"version":\([0-9]*\).*/\1/')}"
curl -s $BEHALF_URL/v1/delegations -H "authorization: Bearer $ACCESS" -H 'content-type: application/json' \
  -d '{"delegator":"ben@example.test","reason":"invoice run"}'
"#;

/// The hook of the behalf at this address.
pub(super) fn hook_at(api: &str, secret: String) -> HookTarget {
    HookTarget {
        url: format!("{api}/hooks/okta"),
        header: "authorization".to_owned(),
        secret: SecretString::from(secret),
        patience: PATIENCE,
    }
}

/// The configuration, for this issuer and this file of users.
pub(super) fn variables(issuer: &str, secret: &str, users: &Path) -> Vec<(String, String)> {
    let users = users.display().to_string();
    [
        ("BEHALF_BIND", "127.0.0.1:0"),
        ("BEHALF_WORKERS", "2"),
        ("BEHALF_DOCS", "on"),
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
