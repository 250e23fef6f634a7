//! The authorization server: claims, scopes, policies, rules.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{
    World,
    answer::{Answered, Refusal, Said, created, invalid, not_found, nothing, ok},
    state::{Policy, State},
};

/// So small that every list has pages.
const PAGE: usize = 2;
const GRANT_TYPES: [&str; 5] = ["authorization_code", "implicit", "password", "client_credentials", "interaction_code"];

pub(super) fn handle(
    world: &World,
    state: &mut State,
    method: &Method,
    (path, query): (&[&str], &str),
    body: &Value,
) -> Answered {
    match (method.as_str(), path) {
        ("GET", []) => ok(state.server.clone()),
        ("GET", ["claims"]) => ok(json!(state.claims)),
        ("POST", ["claims"]) => claim(world, state, None, body),
        ("PUT", ["claims", id]) => claim(world, state, Some(id), body),
        ("GET", ["scopes"]) => scopes(world, state, query),
        ("POST", ["scopes"]) => scope(world, state, body),
        ("GET", ["policies"]) => ok(json!(state.policies.iter().map(|policy| &policy.raw).collect::<Vec<_>>())),
        ("POST", ["policies"]) => policy(world, state, None, body),
        ("PUT", ["policies", id]) => policy(world, state, Some(id), body),
        ("POST", ["policies", id, "lifecycle", "activate"]) => {
            at(state, id)?.raw["status"] = json!("ACTIVE");
            nothing()
        }
        ("GET", ["policies", id, "rules"]) => ok(json!(at(state, id)?.rules)),
        ("POST", ["policies", id, "rules"]) => rule(world, state, id, None, body),
        ("PUT", ["policies", id, "rules", rule_id]) => rule(world, state, id, Some(rule_id), body),
        _ => Err(Refusal(405, "E0000022", "The endpoint does not support the provided HTTP method".to_owned())),
    }
}

fn at<'s>(state: &'s mut State, id: &str) -> Result<&'s mut Policy, Refusal> {
    state.policies.iter_mut().find(|policy| policy.raw["id"] == id).ok_or_else(|| not_found(id))
}

fn claim(world: &World, state: &mut State, id: Option<&str>, body: &Value) -> Answered {
    world.judge.check("OAuth2Claim", body)?;
    let same = |one: &Value| one["name"] == body["name"] && one["claimType"] == body["claimType"];
    if body["name"].as_str().is_none_or(str::is_empty) || body["valueType"] != "EXPRESSION" {
        return Err(invalid("claim: name or valueType"));
    }
    let used = "user.delegatedAgents";
    let known = state.schemas.values().any(|attributes| attributes.contains_key("delegatedAgents"));
    if !body["value"].as_str().is_some_and(|value| !value.contains(used) || known) {
        return Err(invalid("claim: the expression names an attribute that doesn't exist"));
    }
    let mut stored = body.clone();
    stored["system"] = json!(false);
    if let Some(id) = id {
        let old = state.claims.iter_mut().find(|one| one["id"] == id).ok_or_else(|| not_found(id))?;
        stored["id"] = json!(id);
        *old = stored.clone();
        return ok(stored);
    }
    if state.claims.iter().any(same) {
        return Err(invalid("claim: the name is taken"));
    }
    stored["id"] = json!(state.id("ocl"));
    state.claims.push(stored.clone());
    created(stored)
}

fn scopes(world: &World, state: &State, query: &str) -> Answered {
    let after = query.split('&').find_map(|pair| pair.strip_prefix("after="));
    let place = |cursor: &str| cursor.strip_prefix("page")?.parse().ok();
    let start = after.map_or(Ok(0), |cursor| place(cursor).ok_or_else(|| invalid("after")))?;
    let page: Vec<_> = state.scopes.iter().skip(start).take(PAGE).collect();
    let more = start + page.len() < state.scopes.len();
    let origin = state.next_page_at.as_deref().unwrap_or(&world.url);
    let next = format!("{origin}/api/v1/authorizationServers/default/scopes?limit=200&after=page{}", start + PAGE);
    Ok(Said { status: 200, body: Some(json!(page)), next: more.then_some(next) })
}

fn scope(world: &World, state: &mut State, body: &Value) -> Answered {
    world.judge.check("OAuth2Scope", body)?;
    if state.scopes.iter().any(|one| one["name"] == body["name"]) {
        return Err(invalid("scope: the name is taken"));
    }
    let mut stored = body.clone();
    stored["id"] = json!(state.id("scp"));
    state.scopes.push(stored.clone());
    created(stored)
}

fn policy(world: &World, state: &mut State, id: Option<&str>, body: &Value) -> Answered {
    world.judge.check("AuthorizationServerPolicy", body)?;
    let complete = body["type"] == "OAUTH_AUTHORIZATION_POLICY" && body["name"].is_string();
    if !complete || body["description"].is_null() {
        return Err(invalid("policy: type, name or description is missing"));
    }
    let priority = body["priority"].as_i64().filter(|at| *at >= 1).ok_or_else(|| invalid("policy: priority"))?;
    let clients = body.pointer("/conditions/clients/include").and_then(Value::as_array);
    let clients = clients.filter(|all| !all.is_empty()).ok_or_else(|| invalid("policy: clients"))?;
    for client in clients.iter().filter_map(Value::as_str) {
        if client != "ALL_CLIENTS" && !state.clients.iter().any(|known| known == client) {
            return Err(invalid(format!("policy: there is no client {client}")));
        }
    }
    let taken =
        state.policies.iter().any(|one| one.raw["name"] == body["name"] && Some(one.raw["id"].as_str()) != Some(id));
    if taken {
        return Err(invalid("policy: the name is taken"));
    }
    let mut raw = body.clone();
    raw["system"] = json!(false);
    let rules = if let Some(id) = id {
        let old = state.policies.iter().position(|one| one.raw["id"] == id).ok_or_else(|| not_found(id))?;
        raw["id"] = json!(id);
        state.policies.remove(old).rules
    } else {
        raw["id"] = json!(state.id("00p"));
        Vec::new()
    };
    let place = usize::try_from(priority - 1).unwrap().min(state.policies.len());
    let policy_id = raw["id"].clone();
    state.policies.insert(place, Policy { raw, rules });
    for (policy, at) in state.policies.iter_mut().zip(1..) {
        policy.raw["priority"] = json!(at);
    }
    let shown = state.policies.iter().find(|one| one.raw["id"] == policy_id).unwrap().raw.clone();
    if id.is_some() { ok(shown) } else { created(shown) }
}

fn rule(world: &World, state: &mut State, policy: &str, id: Option<&str>, body: &Value) -> Answered {
    world.judge.check("AuthorizationServerPolicyRuleRequest", body)?;
    if body["type"] != "RESOURCE_ACCESS" {
        return Err(invalid("rule: type"));
    }
    let include = |pointer: &str| body.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let grants = include("/conditions/grantTypes/include");
    if grants.is_empty() || grants.iter().any(|grant| !GRANT_TYPES.map(Value::from).contains(grant)) {
        return Err(invalid("rule: grantTypes"));
    }
    let people = [include("/conditions/people/groups/include"), include("/conditions/people/users/include")].concat();
    if people.is_empty() || include("/conditions/scopes/include").is_empty() {
        return Err(invalid("rule: people or scopes"));
    }
    let life = body.pointer("/actions/token/accessTokenLifetimeMinutes").and_then(Value::as_i64);
    if !life.is_some_and(|minutes| (5..=1440).contains(&minutes)) {
        return Err(invalid("rule: accessTokenLifetimeMinutes"));
    }
    let hook = body.pointer("/actions/token/inlineHook/id");
    if hook.is_some_and(|id| !state.hooks.iter().any(|known| known["id"] == *id)) {
        return Err(invalid("rule: there is no such hook"));
    }
    let new = state.id("0pr");
    let rules = &mut at(state, policy)?.rules;
    if rules.iter().any(|one| one["name"] == body["name"] && one["id"].as_str() != id) {
        return Err(invalid("rule: the name is taken"));
    }
    let mut stored = body.clone();
    if stored["status"].is_null() {
        stored["status"] = json!("ACTIVE");
    }
    if let Some(id) = id {
        stored["id"] = json!(id);
        *rules.iter_mut().find(|one| one["id"] == id).ok_or_else(|| not_found(id))? = stored.clone();
        return ok(stored);
    }
    stored["id"] = json!(new);
    rules.push(stored.clone());
    created(stored)
}
