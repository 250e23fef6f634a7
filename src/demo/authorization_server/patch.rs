//! What Okta does with a token hook's answer: all of it, or nothing. Rules: Okta's developer documentation of the token
//! inline hook and the schemas of its management API.

use serde_json::{Map, Value};

/// Lifetimes that a hook may set, in seconds.
const LIFETIMES: std::ops::RangeInclusive<u64> = 300..=86_400;
/// What the client reads if the hook refuses without a reason.
const NO_REASON: &str = "The callback service returned an error";

const RESERVED: &[&str] =
    &["acr", "auth_time", "cid", "cnf", "exp", "groups", "iat", "iss", "jti", "sid", "token_type", "ver"];
const RESERVED_ACCESS: &[&str] = &["as_uri", "authorization_details", "rpt", "rsi", "scp", "uid", "username"];
const RESERVED_IDENTITY: &[&str] = &[
    "active",
    "aid",
    "amr",
    "app_id",
    "app_type",
    "at_hash",
    "aud",
    "c_hash",
    "client_id",
    "client_ip",
    "client_req_id",
    "client_type",
    "client_user_agent",
    "did",
    "dst",
    "group",
    "hotk",
    "idp",
    "idp_iss",
    "mac_key",
    "may_act",
    "nonce",
    "oid",
    "okta_emailVerified",
    "okta_lastUpdated",
    "orig",
    "permissions",
    "purpose",
    "pwd_exp_days",
    "pwd_exp_time",
    "rid",
    "role",
    "scope",
    "scopes",
    "sub",
    "term",
    "user_ip",
];

/// A token about to be signed: what the hook sees of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Claims, without the times.
    pub claims: Map<String, Value>,
    /// Seconds it is to live.
    pub lifetime: u64,
}

/// The tokens of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Drafts {
    /// The access token.
    pub access: Option<Draft>,
    /// The ID token.
    pub identity: Option<Draft>,
}

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing asked for.
    Nothing,
    /// The tokens, changed.
    Patched(Drafts),
    /// No tokens; the client gets this text.
    Refused(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Access,
    Identity,
}

/// Reads the answer (a body of status 200) and applies it. The error says what made all of it void: then the tokens are
/// signed as they were.
pub fn apply(drafts: &Drafts, answer: &[u8]) -> Result<Verdict, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|error| format!("not JSON: {error}"))?;
    let answer = answer.as_object().ok_or("not an object")?;
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        let summary = error.get("errorSummary").and_then(Value::as_str).unwrap_or(NO_REASON);
        return Ok(Verdict::Refused(summary.to_owned()));
    }
    let commands = match answer.get("commands") {
        None | Some(Value::Null) => return Ok(Verdict::Nothing),
        Some(commands) => commands.as_array().ok_or("commands is no list")?,
    };
    if commands.is_empty() {
        return Ok(Verdict::Nothing);
    }
    let mut patched = drafts.clone();
    for command in commands {
        run(&mut patched, command)?;
    }
    Ok(Verdict::Patched(patched))
}

fn run(drafts: &mut Drafts, command: &Value) -> Result<(), String> {
    let (draft, kind) = match command.get("type").and_then(Value::as_str) {
        Some("com.okta.access.patch") => (&mut drafts.access, Kind::Access),
        Some("com.okta.identity.patch") => (&mut drafts.identity, Kind::Identity),
        other => return Err(format!("unknown command {}", other.unwrap_or("without a type"))),
    };
    let draft = draft.as_mut().ok_or("a patch for a token that is not being minted")?;
    let operations = command.get("value").and_then(Value::as_array).ok_or("a command without a list of operations")?;
    operations.iter().try_for_each(|operation| operate(draft, kind, operation))
}

fn operate(draft: &mut Draft, kind: Kind, operation: &Value) -> Result<(), String> {
    let path = operation.get("path").and_then(Value::as_str).ok_or("an operation without a path")?;
    let change = Change::read(operation).map_err(|why| format!("{path}: {why}"))?;
    let segments = segments(path).ok_or_else(|| format!("{path} is no path"))?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let done = match segments.as_slice() {
        ["token", "lifetime", "expiration"] => set_lifetime(draft, &change),
        ["claims", name, ..] if is_reserved(kind, name) => Err("a reserved claim"),
        ["claims", name, inside @ ..] if !name.is_empty() => change_claim(&mut draft.claims, name, inside, change),
        _ => Err("an unknown path"),
    };
    done.map_err(|why| format!("{path}: {why}"))
}

fn is_reserved(kind: Kind, name: &str) -> bool {
    let more = match kind {
        Kind::Access => RESERVED_ACCESS.contains(&name),
        Kind::Identity => RESERVED_IDENTITY.contains(&name) || name.starts_with("device_"),
    };
    more || RESERVED.contains(&name)
}

enum Change {
    Add(Value),
    Replace(Value),
    Remove,
}

impl Change {
    fn read(operation: &Value) -> Result<Self, &'static str> {
        let value = operation.get("value").filter(|value| !value.is_null()).cloned();
        match (operation.get("op").and_then(Value::as_str), value) {
            (Some("add"), Some(value)) => Ok(Self::Add(value)),
            (Some("replace"), Some(value)) => Ok(Self::Replace(value)),
            (Some("add" | "replace"), None) => Err("no value"),
            (Some("remove"), None) => Ok(Self::Remove),
            (Some("remove"), Some(_)) => Err("remove with a value"),
            (_, _) => Err("an unknown op"),
        }
    }
}

fn set_lifetime(draft: &mut Draft, change: &Change) -> Result<(), &'static str> {
    let Change::Replace(value) = change else { return Err("a lifetime can only be replaced") };
    let seconds = value.as_u64().filter(|seconds| LIFETIMES.contains(seconds));
    draft.lifetime = seconds.ok_or("not between 300 and 86400")?;
    Ok(())
}

/// The segments of a JSON pointer (RFC 6901), unescaped.
fn segments(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(unescape).collect()
}

fn unescape(segment: &str) -> Option<String> {
    let mut parts = segment.split('~');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let rest = match part.split_at_checked(1)? {
            ("0", rest) => ('~', rest),
            ("1", rest) => ('/', rest),
            _ => return None,
        };
        text.push(rest.0);
        text.push_str(rest.1);
    }
    Some(text)
}

fn change_claim(
    claims: &mut Map<String, Value>,
    name: &str,
    inside: &[&str],
    change: Change,
) -> Result<(), &'static str> {
    let Some((last, between)) = inside.split_last() else { return change_member(claims, name, change) };
    let mut place = claims.get_mut(name).ok_or("the claim is not there")?;
    for step in between {
        place = match place {
            Value::Object(members) => members.get_mut(*step),
            Value::Array(items) => index(step).and_then(|at| items.get_mut(at)),
            _ => None,
        }
        .ok_or("nothing there")?;
    }
    match place {
        Value::Object(members) => change_member(members, last, change),
        Value::Array(items) => change_item(items, last, change),
        _ => Err("neither an object nor a list"),
    }
}

fn change_member(members: &mut Map<String, Value>, name: &str, change: Change) -> Result<(), &'static str> {
    match change {
        Change::Add(value) => {
            members.insert(name.to_owned(), value);
        }
        Change::Replace(value) => *members.get_mut(name).ok_or("replace of what is not there")? = value,
        Change::Remove => drop(members.remove(name).ok_or("remove of what is not there")?),
    }
    Ok(())
}

fn change_item(items: &mut Vec<Value>, at: &str, change: Change) -> Result<(), &'static str> {
    let position = index(at);
    match (change, position) {
        (Change::Add(value), None) if at == "-" => items.push(value),
        (Change::Add(value), Some(position)) if position <= items.len() => items.insert(position, value),
        (Change::Replace(value), Some(position)) if position < items.len() => items[position] = value,
        (Change::Remove, Some(position)) if position < items.len() => drop(items.remove(position)),
        _ => return Err("no such place in the list"),
    }
    Ok(())
}

fn index(text: &str) -> Option<usize> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
