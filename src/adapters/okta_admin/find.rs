//! Reads what a tenant has.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    client::{CallError, Client},
    found::{Found, Policy, Rule, priority, wanted_type},
    wish::{HOOK_TYPE, Wish},
};

/// Why the present state isn't known.
#[derive(Debug, thiserror::Error)]
#[error("{what} can't be read: {why}")]
pub struct FindError {
    /// What was asked for.
    pub what: String,
    /// Why not.
    #[source]
    pub why: CallError,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Asks for all that a plan needs; changes nothing.
pub async fn find(client: &Client, server: &str, wish: &Wish) -> Result<Found, FindError> {
    let base = ["api", "v1", "authorizationServers", server];
    let below = |last: &'static str| [base.as_slice(), &[last]].concat();
    let place = format!("the authorization server `{server}`");
    let found_server = client.get(&base).await.map_err(unread(&place))?;
    let types = client.list(&["api", "v1", "meta", "types", "user"], &[]).await.map_err(unread("user types"))?;
    let schema = wanted_type(&wish.delegatable, &types).ok().flatten().and_then(|found| found.schema());
    let attributes = match schema {
        Some(schema) => attributes(client, schema).await.map_err(unread("the user type's attributes"))?,
        None => BTreeMap::new(),
    };
    let hooks: Vec<Value> =
        client.list(&["api", "v1", "inlineHooks"], &[("type", HOOK_TYPE)]).await.map_err(unread("inline hooks"))?;
    let of_tokens = hooks.into_iter().filter(|hook| hook["type"] == HOOK_TYPE);
    let hooks = of_tokens.map(serde_json::from_value).collect::<Result<_, _>>();
    let hooks = hooks.map_err(|error| garbled("inline hooks", &error))?;
    let claims = client.list(&below("claims"), &[]).await.map_err(unread("claims"))?;
    let scopes: Vec<Named> = client.list(&below("scopes"), &[("limit", "200")]).await.map_err(unread("scopes"))?;
    let policies = policies(client, &base).await?;
    let scopes = scopes.into_iter().map(|scope| scope.name).collect();
    Ok(Found { types, attributes, hooks, server: found_server, claims, scopes, policies })
}

async fn attributes(client: &Client, schema: &str) -> Result<BTreeMap<String, Value>, CallError> {
    let raw: Value = client.get(&["api", "v1", "meta", "schemas", "user", schema]).await?;
    let custom = raw.pointer("/definitions/custom/properties");
    let Some(base) = raw.pointer("/definitions/base") else {
        return Err(CallError::Unavailable("it answers with something that is no schema".to_owned()));
    };
    // An attribute of Okta's own by that name would be in the way as well.
    let own = base.get("properties");
    let all = [own, custom].into_iter().flatten().filter_map(Value::as_object).flatten();
    Ok(all.map(|(name, value)| (name.clone(), value.clone())).collect())
}

async fn policies(client: &Client, base: &[&str]) -> Result<Vec<Policy>, FindError> {
    let path = [base, &["policies"]].concat();
    let raw: Vec<Map<String, Value>> = client.list(&path, &[]).await.map_err(unread("access policies"))?;
    let mut policies = Vec::new();
    for raw in raw {
        let mut policy = Policy { raw, rules: Vec::new() };
        let what = format!("rules of the access policy `{}`", policy.name());
        let path = [path.as_slice(), &[policy.id(), "rules"]].concat();
        let rules: Vec<Map<String, Value>> = client.list(&path, &[]).await.map_err(unread(&what))?;
        policy.rules = rules.into_iter().map(|raw| Rule { raw }).collect();
        policy.rules.sort_by_key(|rule| priority(&rule.raw));
        policies.push(policy);
    }
    policies.sort_by_key(|policy| priority(&policy.raw));
    Ok(policies)
}

fn unread(what: &str) -> impl FnOnce(CallError) -> FindError {
    let what = what.to_owned();
    move |why| FindError { what, why }
}

fn garbled(what: &str, error: &serde_json::Error) -> FindError {
    let why = CallError::Unavailable(format!("Okta's answer isn't understood (line {})", error.line()));
    FindError { what: what.to_owned(), why }
}
