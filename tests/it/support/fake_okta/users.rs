//! Users: reading, searching, changing, and what hangs on them.

use serde_json::{Map, Value, json};

use super::{
    World,
    answer::Say,
    meta, pages,
    routes::Asked,
    search::{self, Expression},
    state::{Account, State},
};

/// What `filter` can look at.
const FILTERED: [&str; 7] =
    ["status", "lastUpdated", "id", "profile.login", "profile.email", "profile.firstName", "profile.lastName"];
/// What `search` can look at besides the profile.
const SEARCHED: [&str; 6] = ["id", "status", "created", "lastUpdated", "statusChanged", "type.id"];

fn view(world: &World, id: &str, account: &Account) -> Value {
    let time = "2026-01-01T00:00:00.000Z";
    json!({
        "id": id, "status": account.status, "created": time, "activated": time, "statusChanged": time,
        "lastLogin": null, "lastUpdated": time, "passwordChanged": null, "type": {"id": account.kind},
        "profile": account.profile, "credentials": {"password": {}, "provider": account.provider},
        "_links": {"self": {"href": format!("{}/api/v1/users/{id}", world.url)}},
    })
}

fn shown(world: &World, state: &State, id: &str) -> Say {
    let Some(account) = state.users.get(id) else { return Say::not_found(id) };
    let etag = state.etags.then(|| ("etag", account.etag()));
    Say::Json(view(world, id, account), etag.into_iter().collect())
}

/// A login with a slash is only reachable by id.
fn named(state: &State, text: &str) -> Result<String, Say> {
    let found = Some(text).filter(|text| !text.contains('/')).and_then(|text| state.find(text));
    found.ok_or_else(|| Say::not_found(&format!("{text} (User)")))
}

pub(super) fn read(world: &World, state: &State, text: &str) -> Say {
    match named(state, text) {
        Ok(id) => shown(world, state, &id),
        Err(refusal) => refusal,
    }
}

fn values(id: &str, account: &Account, attribute: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match attribute {
        "id" => vec![id.to_owned()],
        "status" => vec![account.status.clone()],
        "type.id" => vec![account.kind.clone()],
        _ => match attribute.strip_prefix("profile.").and_then(|name| account.profile.get(name)) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items.iter().map(text).collect(),
            Some(value) => vec![text(value)],
        },
    }
}

pub(super) fn list(world: &World, state: &State, asked: &Asked) -> Say {
    let bad = |why: String| Say::Error(400, "E0000031", format!("Invalid search criteria. {why}"));
    let (text, filtered) = match (asked.query.get("search"), asked.query.get("filter")) {
        (Some(text), None) => (text, false),
        (None, Some(text)) => (text, true),
        _ => return bad("one of search and filter".to_owned()),
    };
    let expression = match search::parse(text) {
        Ok(expression) => expression,
        Err(why) => return bad(why),
    };
    let known = |name: &&str| {
        let of_profile = || name.strip_prefix("profile.").is_some_and(|name| meta::is_known(state, name));
        if filtered { FILTERED.contains(name) } else { SEARCHED.contains(name) || of_profile() }
    };
    if !expression.attributes().iter().all(known) {
        return bad("an attribute".to_owned());
    }
    if filtered && expression.operators().iter().any(|operator| *operator != "eq") {
        return bad("filter knows eq only".to_owned());
    }
    let seen = if filtered { &state.users } else { state.index.as_ref().unwrap_or(&state.users) };
    let fits = |id: &str, account: &Account, e: &Expression| e.holds(filtered, &|name| values(id, account, name));
    let found = seen.iter().filter(|(id, account)| fits(id, account, &expression));
    let items = found.map(|(id, account)| (id.clone(), view(world, id, account))).collect();
    pages::page(world, state, &asked.path, &asked.query, items)
}

/// The user to be changed, or why he isn't.
fn changeable(state: &State, text: &str, asked: &Asked) -> Result<String, Say> {
    let id = named(state, text)?;
    let Some(account) = state.users.get(&id) else { return Err(Say::not_found(&id)) };
    if let Some(tag) = &asked.if_match {
        if !tag.starts_with("W/\"") || !tag.ends_with('"') {
            return Err(Say::invalid("If-Match"));
        }
        if state.etags && state.if_match && *tag != account.etag() {
            return Err(Say::Error(412, "E0000231", "ETag value doesn't match.".to_owned()));
        }
    }
    Ok(id)
}

fn object<'v>(body: &'v Value, name: &str) -> Result<Option<&'v Map<String, Value>>, Say> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Say::invalid(name)),
    }
}

/// Checks the profile that a user of that type would have, and takes nulls out.
fn fitting(state: &State, id: &str, kind: &str, mut profile: Map<String, Value>) -> Result<Map<String, Value>, Say> {
    profile.retain(|_, value| !value.is_null());
    if let Some((name, _)) = profile.iter().find(|(name, value)| !meta::fits(state, kind, name, value)) {
        return Err(Say::invalid(&format!("{name}: the type has no such attribute, or not with that value")));
    }
    for name in ["login", "email", "firstName", "lastName"] {
        if profile.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(Say::invalid(&format!("{name}: The field cannot be left blank")));
        }
    }
    let login = profile.get("login").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    if state.users.iter().any(|(other, account)| other != id && account.login().to_lowercase() == login) {
        return Err(Say::invalid("login: An object with this field already exists in the current organization"));
    }
    Ok(profile)
}

pub(super) fn update(world: &World, state: &mut State, text: &str, asked: &Asked) -> Say {
    match updated(state, text, asked) {
        Ok(id) => shown(world, state, &id),
        Err(refusal) => refusal,
    }
}

fn updated(state: &mut State, text: &str, asked: &Asked) -> Result<String, Say> {
    let id = changeable(state, text, asked)?;
    let body = asked.body.as_ref().filter(|body| body.is_object()).ok_or_else(|| Say::invalid("body"))?;
    let account = state.users.get(&id).cloned().ok_or_else(|| Say::not_found(&id))?;
    if let Some(kind) = object(body, "type")?
        && kind.get("id").and_then(Value::as_str) != Some(account.kind.as_str())
    {
        return Err(Say::invalid("type: can't be changed by a partial update"));
    }
    let mut profile = account.profile.clone();
    profile.extend(object(body, "profile")?.cloned().unwrap_or_default());
    let profile = fitting(state, &id, &account.kind, profile)?;
    state.users.insert(id.clone(), Account { profile, version: account.version + 1, ..account });
    Ok(id)
}

pub(super) fn replace(world: &World, state: &mut State, text: &str, asked: &Asked) -> Say {
    match replaced(state, text, asked) {
        Ok(id) => shown(world, state, &id),
        Err(refusal) => refusal,
    }
}

/// What isn't named is gone.
fn replaced(state: &mut State, text: &str, asked: &Asked) -> Result<String, Say> {
    let id = changeable(state, text, asked)?;
    let body = asked.body.as_ref().filter(|body| body.is_object()).ok_or_else(|| Say::invalid("body"))?;
    let account = state.users.get(&id).cloned().ok_or_else(|| Say::not_found(&id))?;
    let kind = match object(body, "type")? {
        None => account.kind.clone(),
        Some(kind) => kind.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    if !state.types.contains_key(&kind) {
        return Err(Say::invalid("type: there is no such type"));
    }
    let profile = fitting(state, &id, &kind, object(body, "profile")?.cloned().unwrap_or_default())?;
    let credentials = object(body, "credentials")?;
    let provider = credentials.and_then(|all| all.get("provider")).cloned().unwrap_or(Value::Null);
    state.users.insert(id.clone(), Account { profile, kind, provider, version: account.version + 1, ..account });
    Ok(id)
}

pub(super) fn groups(world: &World, state: &State, text: &str, asked: &Asked) -> Say {
    let id = match named(state, text) {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let mut groups = state.groups.get(&id).cloned().unwrap_or_default();
    groups.sort();
    let item = |group: String| {
        let body = json!({"id": group, "type": "OKTA_GROUP", "profile": {"name": format!("Group {group}")}});
        (group, body)
    };
    pages::page(world, state, &asked.path, &asked.query, groups.into_iter().map(item).collect())
}

/// A group is there if it was made, or if somebody is in it.
pub(super) fn members(world: &World, state: &State, group: &str, asked: &Asked) -> Say {
    let is_in = |id: &String| state.groups.get(id).is_some_and(|groups| groups.iter().any(|one| one == group));
    if !state.empty_groups.contains(group) && !state.groups.keys().any(is_in) {
        return Say::not_found(&format!("{group} (UserGroup)"));
    }
    let found = state.users.iter().filter(|(id, _)| is_in(id));
    let items = found.map(|(id, account)| (id.clone(), view(world, id, account))).collect();
    pages::page(world, state, &asked.path, &asked.query, items)
}

pub(super) fn linked(state: &State, text: &str, name: &str) -> Say {
    let id = match named(state, text) {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let links = state.links.get(&(id, name.to_owned())).cloned().unwrap_or_default();
    Say::Json(links.iter().map(|href| json!({"_links": {"self": {"href": href}}})).collect(), Vec::new())
}
