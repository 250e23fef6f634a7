//! Reservations of shared accounts, over HTTP. Names of tests are those of the design's table.

mod between;
mod direct;
mod gauges;
mod holding;
mod limits;
mod pools;
mod races;
mod restarts;
mod strict;
pub(crate) mod world;

use behalf::domain::{
    claims::{ClaimNames, ClaimsPolicy},
    ids::GroupId,
    shared_account::{DirectLogin, SharedAccount, SharedAccounts},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    hooks::{Told, coded, deliver},
    support::{
        http::Answer,
        test_app::{CLIENT, ISSUER, Setup, TestApp, uid, user},
    },
};

pub(crate) const DBA: &str = "00udba";
const HOLD_MS: i64 = 5 * 60_000;

pub(crate) fn account(id: &str) -> SharedAccount {
    SharedAccount {
        id: uid(id),
        group: GroupId::parse("dbas").unwrap(),
        hold: SignedDuration::from_millis(HOLD_MS),
        max_hold: SignedDuration::from_mins(30),
        direct_login: DirectLogin::Claim,
        pool: None,
        show_holder: false,
    }
}

/// A set-up with these accounts, of which one user may hold so many.
pub(crate) fn sharing(setup: Setup, accounts: Vec<SharedAccount>, max_held: usize) -> Setup {
    let names = ClaimNames { reserved_by: Some("reserved_by".to_owned()), ..ClaimNames::default() };
    let claims = ClaimsPolicy { names, ..ClaimsPolicy::default() };
    Setup { shared: SharedAccounts::new(accounts, max_held), claims, ..setup }
}

/// Ann, Eve and Cid are database administrators; Bob isn't. The accounts are active.
pub(crate) async fn app_of(setup: Setup) -> TestApp {
    let accounts: Vec<String> = setup.shared.iter().map(|account| account.id.to_string()).collect();
    let app = TestApp::with(setup).await;
    for id in accounts {
        app.directory.put(user(&id, &format!("{}@example.test", &id[3..]), &json!({})));
    }
    app.directory.put(user("00ucid", "cid@example.test", &json!({})));
    app.token("cid", &json!({"uid": "00ucid"}), &["openid", "behalf"]);
    for member in ["00uann", "00ueve", "00ucid"] {
        app.directory.set_groups(&uid(member), &["staff", "dbas"]);
    }
    app
}

async fn app() -> TestApp {
    app_of(sharing(Setup::default(), vec![account(DBA)], 1)).await
}

async fn reserve(app: &TestApp, who: &str, body: Value) -> Answer {
    app.post("/v1/reservations", who, &body).await
}

/// A reservation of the account: its secret and its id.
pub(crate) async fn hold(app: &TestApp, who: &str, account: &str) -> (String, String) {
    let made = reserve(app, who, json!({"account": account})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let text = |name: &str| made.json[name].as_str().unwrap().to_owned();
    (text("secret"), text("id"))
}

pub(crate) async fn state(app: &TestApp, who: &str, id: &str) -> String {
    let found = app.get(&format!("/v1/reservations/{id}"), who).await;
    assert_eq!(found.status, 200, "{}", found.text);
    found.json["state"].as_str().unwrap().to_owned()
}

/// Okta's hook for a login as this account, with this `state`.
fn login_hook(event: &str, account: &str, state: Option<&str>) -> Value {
    let login = format!("{}@example.test", &account[3..]);
    json!({
        "source": format!("{ISSUER}/v1/authorize"), "eventId": event, "eventTime": "2026-11-21T10:00:00.000Z",
        "eventTypeVersion": "1.0", "cloudEventVersion": "0.1", "contentType": "application/json",
        "eventType": "com.okta.oauth2.tokens.transform",
        "data": {
            "context": {
                "request": {"id": "req1", "method": "POST", "url": {"value": format!("{ISSUER}/v1/token")},
                            "ipAddress": "127.0.0.1"},
                "protocol": {
                    "type": "OAUTH2.0", "request": {"grant_type": "authorization_code", "scope": "openid",
                                                     "state": state, "response_type": "code"},
                    "issuer": {"uri": ISSUER}, "client": {"id": CLIENT, "name": "App", "type": "PUBLIC"}},
                "user": {"id": account, "profile": {"login": login}},
                "policy": {"id": "pol", "rule": {"id": "rul"}}},
            "identity": {"claims": {"sub": account}, "token": {"lifetime": {"expiration": 3600}}},
            "access": {"claims": {"sub": login, "uid": account}, "token": {"lifetime": {"expiration": 3600}},
                       "scopes": {"openid": {"id": "s1", "action": "GRANT"}}}}
    })
}

async fn log_in(app: &TestApp, event: &str, secret: &str) -> Told {
    deliver(app, &login_hook(event, DBA, Some(secret))).await
}

/// Whose name the tokens bear.
fn reserved_by(told: &Told, hook: &Value) -> [Option<String>; 2] {
    let tokens = told.minted(hook);
    [tokens.access, tokens.identity]
        .map(|token| token.and_then(|t| t.claims.get("reserved_by")?.as_str().map(str::to_owned)))
}

/// How many events of each of these codes there are.
async fn counts<const N: usize>(app: &TestApp, codes: [&str; N]) -> [usize; N] {
    let mut found = [0; N];
    for (count, code) in found.iter_mut().zip(codes) {
        *count = coded(app, code).await.len();
    }
    found
}

/// Events of each end, in the order of their codes: used, expired, released, taken away, made void.
async fn ends(app: &TestApp) -> [usize; 5] {
    counts(app, ["DA3001", "DA3002", "DA3003", "DA3004", "DA3005"]).await
}
