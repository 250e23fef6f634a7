//! Ann wants to act for Bob, and Ada, Ben and Cleo may decide about it. The initiation's part is played here: the rule
//! is given to the use case itself.

use std::{collections::BTreeSet, sync::Arc};

use behalf::{
    app::{
        Services, Tenant,
        approvals::{self, Ensured, Wish},
        caller::Caller,
        error::AppError,
    },
    domain::{
        approval::{
            Approval, ApprovalId, Template,
            template::{Approver, Kind},
        },
        ids::{ClientId, TenantName, UserRef},
    },
    policy::{self, People},
    ports::token_verifier::{TokenVerifier as _, VerifiedToken},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    http::Answer,
    test_app::{CLIENT, Setup, TestApp, uid, user},
};

pub(super) const DECIDERS: [&str; 3] = ["ada", "ben", "cleo"];

/// With Ada, Ben and Cleo, and everybody's token; Duty may break the glass.
pub(super) async fn app() -> TestApp {
    app_with(Setup::default()).await
}

pub(super) async fn app_with(setup: Setup) -> TestApp {
    let app = TestApp::with(setup).await;
    for name in DECIDERS {
        app.directory.put(user(&format!("00u{name}"), &format!("{name}@example.test"), &json!({})));
        app.token(name, &json!({"uid": format!("00u{name}")}), &["openid", "behalf"]);
    }
    app.token("duty", &json!({"uid": "00uann", "groups": ["behalf-break-glass"]}), &["openid", "behalf"]);
    app
}

pub(super) fn named(names: &[&str]) -> BTreeSet<Approver> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// All three may decide, one yes is enough.
pub(super) fn template() -> Template {
    Template::new(Kind::Approve, named(&["user:00uada", "user:00uben", "user:00ucleo"]))
}

/// The same, where two must agree.
pub(super) fn of_two() -> Template {
    Template { quorum: 2, ..template() }
}

/// What Ann wishes for.
#[derive(Clone)]
pub(super) struct Want {
    pub(super) template: Template,
    pub(super) scopes: BTreeSet<String>,
    pub(super) reason: Option<String>,
    pub(super) ticket: Option<String>,
    pub(super) break_glass: Option<String>,
    pub(super) token: &'static str,
}

impl Want {
    pub(super) fn of(template: Template) -> Self {
        let scopes = ["openid".to_owned()].into();
        Self { template, scopes, reason: Some("invoices".to_owned()), ticket: None, break_glass: None, token: "ann" }
    }
}

pub(super) fn tenant_of(services: &Services) -> Arc<Tenant> {
    Arc::clone(services.tenant(&TenantName::default_tenant()).unwrap())
}

pub(super) async fn caller(app: &TestApp, token: &str) -> Caller {
    let token = app.verifier.verify(token).await.unwrap();
    Caller::from_token(&token, &tenant_of(&app.services).identity).unwrap()
}

/// Somebody whose token says nothing but who he is.
pub(super) fn somebody(services: &Services, id: &str) -> Caller {
    let claims = json!({"uid": id}).as_object().unwrap().clone();
    let scopes = ["openid".to_owned(), "behalf".to_owned()].into();
    let token = VerifiedToken { claims, scopes, client: Some(CLIENT.to_owned()), expires: jiff::Timestamp::MAX };
    Caller::from_token(&token, &tenant_of(services).identity).unwrap()
}

pub(super) async fn people(tenant: &Tenant) -> People {
    let bob = UserRef::Id(uid("00ubob"));
    policy::grant::by_reference(&*tenant.directory, &tenant.policy.now(), &bob, &uid("00uann")).await.unwrap()
}

/// The initiation's part.
pub(super) async fn ensure_as(services: &Services, caller: &Caller, want: &Want) -> Result<Ensured, AppError> {
    let people = people(&tenant_of(services)).await;
    ensure_for(services, caller, &people, want).await
}

/// The same for people who were asked for before.
pub(super) async fn ensure_for(
    services: &Services,
    caller: &Caller,
    people: &People,
    want: &Want,
) -> Result<Ensured, AppError> {
    let (tenant, client) = (tenant_of(services), ClientId::parse(CLIENT).unwrap());
    let wish = Wish {
        people,
        client: &client,
        scopes: &want.scopes,
        rule: "directors",
        template: &want.template,
        reason: want.reason.as_deref(),
        ticket: want.ticket.as_deref(),
        break_glass: want.break_glass.as_deref(),
    };
    approvals::ensure(services, &tenant, caller, wish).await
}

pub(super) async fn ensure(app: &TestApp, want: &Want) -> Result<Ensured, AppError> {
    ensure_as(&app.services, &caller(app, want.token).await, want).await
}

/// The request of Ann's that waits now.
pub(super) async fn asked(app: &TestApp, template: Template) -> ApprovalId {
    pending(ensure(app, &Want::of(template)).await).id
}

#[track_caller]
pub(super) fn pending(ensured: Result<Ensured, AppError>) -> Approval {
    match ensured.unwrap() {
        Ensured::Pending(approval) => *approval,
        Ensured::Usable(found) => panic!("it is usable: {found:?}"),
    }
}

#[track_caller]
pub(super) fn usable(ensured: Result<Ensured, AppError>) -> approvals::Found {
    match ensured.unwrap() {
        Ensured::Usable(found) => *found,
        Ensured::Pending(approval) => panic!("it waits: {approval:?}"),
    }
}

#[track_caller]
pub(super) fn refused(ensured: Result<Ensured, AppError>) -> &'static str {
    match ensured {
        Err(AppError::Approval(refused)) => refused.code(),
        other => panic!("it was not refused: {other:?}"),
    }
}

pub(super) fn path(id: ApprovalId, rest: &str) -> String {
    format!("/v1/approvals/{id}{rest}")
}

pub(super) async fn vote(app: &TestApp, id: ApprovalId, token: &str, decision: &str) -> Answer {
    app.post(&path(id, "/votes"), token, &json!({"decision": decision, "version": 1})).await
}

pub(super) async fn withdraw(app: &TestApp, id: ApprovalId, token: &str) -> Answer {
    app.send(app.request(Method::POST, &path(id, "/withdraw")).bearer_auth(token)).await
}

pub(super) async fn revoke(app: &TestApp, id: ApprovalId, token: &str) -> Answer {
    app.post(&path(id, "/revoke"), token, &json!({})).await
}

/// The approval as the administrator sees it.
pub(super) async fn shown(app: &TestApp, id: ApprovalId) -> Value {
    let answer = app.get(&path(id, ""), "root").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

pub(super) async fn state(app: &TestApp, id: ApprovalId) -> String {
    shown(app, id).await["state"].as_str().unwrap().to_owned()
}

/// Codes of the events so far.
pub(super) async fn codes(app: &TestApp) -> Vec<String> {
    app.trail().await.into_iter().map(|(code, _)| code).collect()
}

/// A hook's use: what the founder's commit does with the record.
pub(super) async fn use_once(services: &Services, id: ApprovalId) -> Result<Approval, behalf::domain::reason::Reason> {
    use behalf::{
        app::{approvals::records, records as all},
        domain::{approval::Use, reason::Reason},
        ports::store::{Change, Committed, Expect},
    };
    let tenant = tenant_of(services);
    let key = records::key(id);
    let snapshot = services.store.read(&tenant.name, &[key]).await.unwrap();
    let (approval, record) = all::find::<Approval>(&snapshot, &key).unwrap().unwrap();
    let scopes = approval.asked.scopes.clone();
    let asked = approval.asked.clone();
    let by = Use {
        rule: &approval.rule,
        template: &approval.template,
        delegator: &asked.delegator.id,
        agent: &asked.requester.id,
        client: &asked.client,
        scopes: &scopes,
        epoch: approval.epoch,
    };
    let after = approval.clone().used(&by, snapshot.now)?;
    let events = approvals::events::used(services, &tenant.name, &approval, &after, snapshot.now);
    let change = Change {
        expect: vec![(key, Expect::VersionLive(record.version))],
        puts: vec![records::put(&after).unwrap()],
        events: all::encode_events(&events).unwrap(),
        ..Change::new(services.change_id(), services.not_after(snapshot.now, &tenant))
    };
    match services.store.commit(&tenant.name, change).await.unwrap() {
        Committed::Done(_) => Ok(after),
        _ => Err(Reason::Busy),
    }
}
