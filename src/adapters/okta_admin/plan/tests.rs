//! Tables of single differences, and whole tenants: carrying a plan out on a model leaves nothing to do.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use url::Url;

use super::{Plan, access::policy_name, plan};
use crate::adapters::{
    finding::Level,
    okta_admin::{
        change::{Change, Target, Targets},
        found::{Found, Hook, Policy, Rule, UserType, priority, wanted_type},
        wish::{ATTRIBUTE, CLAIM_VALUE, Delegatable, HookWish, SecretState, TYPE_NAME, Wish},
    },
};

mod model;
mod tables;
mod tenants;

const APP: &str = "0oaapp";

fn wish() -> Wish {
    let address = |path: &str| Url::parse(&format!("https://behalf.example.com{path}")).unwrap();
    Wish {
        delegatable: Delegatable::Ours,
        hook: HookWish {
            name: "behalf".to_owned(),
            addresses: vec![address("/hooks/okta"), address("/tokenEnrichment/agent")],
            header: "authorization".to_owned(),
            bearer: false,
            secret: SecretState::Configured,
            set_secret: false,
        },
        claim: "can_delegate".to_owned(),
        scope: Some("behalf".to_owned()),
        issuer: "https://org.example.com/oauth2/default".to_owned(),
        audience: Some("api://default".to_owned()),
        clients: vec![APP.to_owned()],
        fix: false,
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("{value} is no object") };
    object
}

fn rule(id: &str, name: &str, at: i64, hook: Option<&str>) -> Rule {
    let mut raw = object(json!({
        "id": id, "name": name, "type": "RESOURCE_ACCESS", "status": "ACTIVE", "priority": at, "system": false,
        "conditions": {"people": {"groups": {"include": ["00gstaff"]}}, "grantTypes": {"include": ["authorization_code"]},
            "scopes": {"include": ["openid", "payments.read"]}},
        "actions": {"token": {"accessTokenLifetimeMinutes": 15}}, "_links": {},
    }));
    if let Some(hook) = hook {
        raw["actions"]["token"]["inlineHook"] = json!({"id": hook});
    }
    Rule { raw }
}

fn policy(id: &str, name: &str, at: i64, clients: &[&str], rules: Vec<Rule>) -> Policy {
    let raw = object(json!({
        "id": id, "name": name, "type": "OAUTH_AUTHORIZATION_POLICY", "status": "ACTIVE", "priority": at,
        "description": "d", "system": false, "conditions": {"clients": {"include": clients}}, "_links": {},
    }));
    Policy { raw, rules }
}

fn token_hook(id: &str, name: &str, uri: &str, key: &str) -> Hook {
    serde_json::from_value(json!({
        "id": id, "name": name, "status": "ACTIVE", "type": "com.okta.oauth2.tokens.transform",
        "channel": {"type": "HTTP", "config": {"uri": uri, "headers": [], "method": "POST",
            "authScheme": {"type": "HEADER", "key": key}}},
    }))
    .unwrap()
}

/// As Okta gives it to everybody.
fn fresh() -> Found {
    Found {
        types: vec![UserType::new("oty0", "user", true, "osc0")],
        attributes: BTreeMap::new(),
        hooks: Vec::new(),
        server: serde_json::from_value(json!({
            "id": "default", "name": "default", "issuer": "https://org.example.com/oauth2/default",
            "audiences": ["api://default"], "status": "ACTIVE",
        }))
        .unwrap(),
        claims: Vec::new(),
        scopes: vec!["openid".to_owned(), "offline_access".to_owned()],
        policies: vec![policy(
            "00p0",
            "Default Policy",
            1,
            &["ALL_CLIENTS"],
            vec![rule("0pr0", "Default Rule", 1, None)],
        )],
    }
}

fn said(plan: &Plan, level: Level) -> Vec<&str> {
    plan.findings.iter().filter(|finding| finding.level == level).map(|finding| finding.text.as_str()).collect()
}
