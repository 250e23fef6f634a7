//! A change as a request.

use std::collections::BTreeMap;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{Change, HookDraft, Target};
use crate::adapters::okta_admin::wish::{ATTRIBUTE, CLAIM_VALUE, HOOK_TYPE, TYPE_DISPLAY, TYPE_NAME};

/// A request: what it asks below the organisation's address.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Parts of its path.
    pub path: Vec<String>,
    /// Its body.
    pub body: Option<Value>,
}

/// What the changes so far made, and what else a request needs.
pub struct Targets<'s> {
    /// The authorization server.
    pub server: String,
    /// The schema of the type that was made.
    pub schema: Option<String>,
    /// The hook that was made.
    pub hook: Option<String>,
    /// The policies that were made, by client.
    pub policies: BTreeMap<String, String>,
    /// The hook's secret.
    pub secret: Option<&'s SecretString>,
}

/// A change that needs what no change before it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} that it needs isn't there")]
pub struct Missing(&'static str);

impl Change {
    /// The request that makes it.
    pub fn call(&self, at: &Targets<'_>) -> Result<Call, Missing> {
        let server = |rest: &[&str]| path(&["authorizationServers", &at.server], rest);
        Ok(match self {
            Self::MakeType => post(path(&["meta", "types", "user"], &[]), type_body()),
            Self::MakeAttribute(schema) => post(schema_path(at.schema(schema)?), attribute_body(&new_attribute())),
            Self::ProtectAttribute { schema, attribute } => {
                post(schema_path(schema), attribute_body(&protected(attribute)))
            }
            Self::MakeScope(name) => post(server(&["scopes"]), scope_body(name)),
            Self::MakeClaim(name) => post(server(&["claims"]), claim_body(name)),
            Self::WriteClaim { id, name } => put(server(&["claims", id]), claim_body(name)),
            Self::MakeHook(draft) => {
                let mut body = hook_body(draft, at.secret()?);
                body["type"] = json!(HOOK_TYPE);
                post(path(&["inlineHooks"], &[]), body)
            }
            Self::WriteHook { id, draft } => put(path(&["inlineHooks", id], &[]), hook_body(draft, at.secret()?)),
            Self::ActivateHook { id, .. } => bare(path(&["inlineHooks", id, "lifecycle", "activate"], &[])),
            Self::MakePolicy { client, name, priority } => {
                post(server(&["policies"]), policy_body(client, name, *priority))
            }
            Self::MakeRule { client, policy, rule, hook } => {
                let body = with_hook(rule.clone(), at.hook(hook)?);
                post(server(&["policies", at.policy(client, policy)?, "rules"]), body)
            }
            Self::HookOnRule { policy, rule, hook } => {
                let id = rule.get("id").and_then(Value::as_str).ok_or(Missing("the rule's id"))?;
                put(server(&["policies", policy, "rules", id]), with_hook(written_rule(rule), at.hook(hook)?))
            }
            Self::MovePolicy { client, policy, name, raw } => {
                let body = raw.as_ref().map_or_else(|| policy_body(client, name, 1), written_policy_first);
                put(server(&["policies", at.policy(client, policy)?]), body)
            }
            Self::ActivatePolicy { id, .. } => bare(server(&["policies", id, "lifecycle", "activate"])),
        })
    }
}

impl Targets<'_> {
    fn schema<'t>(&'t self, target: &'t Target) -> Result<&'t str, Missing> {
        resolved(target, self.schema.as_deref(), "the user type's schema")
    }

    fn hook<'t>(&'t self, target: &'t Target) -> Result<&'t str, Missing> {
        resolved(target, self.hook.as_deref(), "the hook")
    }

    fn policy<'t>(&'t self, client: &str, target: &'t Target) -> Result<&'t str, Missing> {
        resolved(target, self.policies.get(client).map(String::as_str), "the policy")
    }

    fn secret(&self) -> Result<&str, Missing> {
        self.secret.map(ExposeSecret::expose_secret).ok_or(Missing("the hook's secret"))
    }
}

fn resolved<'t>(target: &'t Target, made: Option<&'t str>, what: &'static str) -> Result<&'t str, Missing> {
    match target {
        Target::There(id) => Ok(id),
        Target::Made => made.ok_or(Missing(what)),
    }
}

fn path(first: &[&str], rest: &[&str]) -> Vec<String> {
    ["api", "v1"].iter().chain(first).chain(rest).map(|&part| part.to_owned()).collect()
}

fn schema_path(id: &str) -> Vec<String> {
    path(&["meta", "schemas", "user", id], &[])
}

fn post(path: Vec<String>, body: Value) -> Call {
    Call { method: Method::POST, path, body: Some(body) }
}

fn put(path: Vec<String>, body: Value) -> Call {
    Call { method: Method::PUT, path, body: Some(body) }
}

fn bare(path: Vec<String>) -> Call {
    Call { method: Method::POST, path, body: None }
}

fn type_body() -> Value {
    let description = "Users who may let others act on their behalf";
    json!({"name": TYPE_NAME, "displayName": TYPE_DISPLAY, "description": description})
}

fn new_attribute() -> Map<String, Value> {
    let mut attribute = Map::new();
    attribute.insert("title".to_owned(), json!("Delegated agents"));
    attribute.insert("description".to_owned(), json!("Ids of the users who may act on behalf of this one"));
    attribute.insert("type".to_owned(), json!("array"));
    attribute.insert("items".to_owned(), json!({"type": "string"}));
    protected(&attribute)
}

/// Other principals keep what they may.
fn protected(attribute: &Map<String, Value>) -> Map<String, Value> {
    let mut attribute = attribute.clone();
    let permissions = attribute.get("permissions").and_then(Value::as_array);
    let others = permissions.into_iter().flatten().filter(|one| one["principal"] != "SELF").cloned();
    let all: Vec<Value> = others.chain([json!({"principal": "SELF", "action": "READ_ONLY"})]).collect();
    attribute.insert("permissions".to_owned(), Value::Array(all));
    attribute
}

/// Okta changes the attributes that are named, and leaves the others.
fn attribute_body(attribute: &Map<String, Value>) -> Value {
    json!({"definitions": {"custom": {
        "id": "#custom", "type": "object", "properties": {ATTRIBUTE: attribute}, "required": [],
    }}})
}

fn scope_body(name: &str) -> Value {
    json!({
        "name": name, "displayName": "Act for others", "description": "Use the API of behalf",
        "consent": "IMPLICIT", "metadataPublish": "NO_CLIENTS", "default": false,
    })
}

fn claim_body(name: &str) -> Value {
    json!({
        "name": name, "status": "ACTIVE", "claimType": "RESOURCE", "valueType": "EXPRESSION", "value": CLAIM_VALUE,
        "conditions": {"scopes": []}, "alwaysIncludeInToken": true,
    })
}

fn hook_body(draft: &HookDraft, secret: &str) -> Value {
    let auth = json!({"type": "HEADER", "key": draft.header, "value": secret});
    let config = json!({"uri": draft.address, "method": "POST", "headers": draft.headers, "authScheme": auth});
    json!({
        "name": draft.name, "version": "1.0.0",
        "channel": {"type": "HTTP", "version": "1.0.0", "config": config},
    })
}

fn policy_body(client: &str, name: &str, priority: i64) -> Value {
    json!({
        "type": "OAUTH_AUTHORIZATION_POLICY", "status": "ACTIVE", "name": name,
        "description": "Tokens of this app can be delegated through behalf", "priority": priority,
        "conditions": {"clients": {"include": [client]}},
    })
}

/// The policy as it is, but first of all. Apps that were added to it stay in it.
fn written_policy_first(policy: &Map<String, Value>) -> Value {
    let mut body = only(policy, &["type", "name", "description", "conditions"]);
    body.insert("status".to_owned(), json!("ACTIVE"));
    body.insert("priority".to_owned(), json!(1));
    Value::Object(body)
}

/// What may be written of a rule.
pub(in crate::adapters::okta_admin) fn written_rule(rule: &Map<String, Value>) -> Map<String, Value> {
    only(rule, &["type", "name", "status", "priority", "conditions", "actions"])
}

fn only(raw: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let kept = raw.iter().filter(|(name, _)| names.contains(&name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn with_hook(mut rule: Map<String, Value>, hook: &str) -> Value {
    let actions = rule.entry("actions").or_insert_with(|| json!({}));
    if let Some(actions) = actions.as_object_mut() {
        let token = actions.entry("token").or_insert_with(|| json!({}));
        if let Some(token) = token.as_object_mut() {
            token.insert("inlineHook".to_owned(), json!({"id": hook}));
        }
    }
    Value::Object(rule)
}
