//! Applies a hook's answer to a token pair as strictly as Okta does: whole, or not at all.

use serde_json::{Map, Value};

/// Answers beyond this are not read.
const MAX_ANSWER: usize = 256 * 1024;
const RESERVED: &str = " acr auth_time cid cnf exp groups iat iss jti sid token_type ver ";
const RESERVED_ACCESS: &str = " as_uri authorization_details rpt rsi scp uid username ";
const RESERVED_IDENTITY: &str = " sub active aid amr app_id app_type at_hash aud c_hash client_id client_ip \
    client_req_id client_type client_user_agent did dst group hotk idp idp_iss mac_key may_act nonce oid \
    okta_emailVerified okta_lastUpdated orig permissions purpose pwd_exp_days pwd_exp_time rid role scope scopes term \
    user_ip ";

/// A token about to be minted.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Token {
    pub(crate) claims: Map<String, Value>,
    pub(crate) lifetime: u64,
}

/// The tokens that one request asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tokens {
    pub(crate) access: Option<Token>,
    pub(crate) identity: Option<Token>,
}

impl Tokens {
    /// The tokens that a hook's request tells of.
    pub(crate) fn of(request: &Value) -> Self {
        let token = |kind: &str| {
            let token = request["data"].get(kind).filter(|token| token.is_object())?;
            let claims = token["claims"].as_object().cloned().unwrap_or_default();
            Some(Token { claims, lifetime: token["token"]["lifetime"]["expiration"].as_u64().unwrap_or(3600) })
        };
        Self { access: token("access"), identity: token("identity") }
    }
}

/// What comes of a hook.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Minted {
    /// The answer was applied.
    Patched(Tokens),
    /// The tokens as they were, for this reason.
    Plain(String),
    /// No token; the client is told this.
    Nothing(String),
}

/// What Okta makes of an answer.
pub(crate) fn apply(before: &Tokens, status: u16, body: &str) -> Minted {
    if status != 200 {
        return Minted::Plain(format!("status {status}"));
    }
    if body.len() >= MAX_ANSWER {
        return Minted::Plain("too long".to_owned());
    }
    let Ok(Value::Object(answer)) = serde_json::from_str(body) else {
        return Minted::Plain("no JSON object".to_owned());
    };
    if let Some(error) = answer.get("error").filter(|e| !e.is_null()) {
        let summary = error["errorSummary"].as_str().unwrap_or("The callback service returned an error");
        return Minted::Nothing(summary.to_owned());
    }
    match patched(before, &answer) {
        Ok(after) => Minted::Patched(after),
        Err(fault) => Minted::Plain(fault),
    }
}

fn patched(before: &Tokens, answer: &Map<String, Value>) -> Result<Tokens, String> {
    if let Some(unknown) = answer.keys().find(|k| !["commands", "error", "debugContext"].contains(&k.as_str())) {
        return Err(format!("unknown member {unknown}"));
    }
    let mut after = before.clone();
    let commands = match answer.get("commands") {
        None | Some(Value::Null) => return Ok(after),
        Some(commands) => commands.as_array().ok_or("commands is no list")?,
    };
    for command in commands {
        let (token, reserved) = match command["type"].as_str() {
            Some("com.okta.access.patch") => (after.access.as_mut(), RESERVED_ACCESS),
            Some("com.okta.identity.patch") => (after.identity.as_mut(), RESERVED_IDENTITY),
            _ => return Err("unknown command".to_owned()),
        };
        let token = token.ok_or("patch for a token that is not being minted")?;
        for operation in command["value"].as_array().ok_or("value is no list")? {
            operate(token, reserved, operation)?;
        }
    }
    Ok(after)
}

fn operate(token: &mut Token, reserved: &str, operation: &Value) -> Result<(), String> {
    let op = operation["op"].as_str().ok_or("no op")?;
    let path = operation["path"].as_str().ok_or("no path")?;
    let value = operation.get("value").filter(|v| !v.is_null());
    if path == "/token/lifetime/expiration" {
        let seconds = value.and_then(Value::as_u64).filter(|s| (300..=86_400).contains(s));
        token.lifetime = seconds.filter(|_| op == "replace").ok_or("bad lifetime")?;
        return Ok(());
    }
    let steps = steps(path.strip_prefix("/claims/").ok_or("unknown path")?)?;
    let word = format!(" {} ", steps[0]);
    let device = reserved == RESERVED_IDENTITY && steps[0].starts_with("device_");
    if RESERVED.contains(&word) || reserved.contains(&word) || device {
        return Err(format!("{} is reserved", steps[0]));
    }
    let (last, way) = steps.split_last().ok_or("no claim")?;
    let mut claims = Value::Object(std::mem::take(&mut token.claims));
    let done = way.iter().try_fold(&mut claims, |at, step| member(at, step)).and_then(|at| change(at, last, op, value));
    if let Value::Object(claims) = claims {
        token.claims = claims;
    }
    done
}

/// The steps of a JSON pointer (RFC 6901).
fn steps(pointer: &str) -> Result<Vec<String>, String> {
    let unescaped = |step: &str| {
        let plain = step.replace("~0", "").replace("~1", "");
        if plain.contains('~') || step.is_empty() {
            return Err(format!("bad step {step:?}"));
        }
        Ok(step.replace("~1", "/").replace("~0", "~"))
    };
    pointer.split('/').map(unescaped).collect()
}

fn member<'v>(value: &'v mut Value, step: &str) -> Result<&'v mut Value, String> {
    let found = match value {
        Value::Object(members) => members.get_mut(step),
        Value::Array(items) => step.parse().ok().and_then(|at: usize| items.get_mut(at)),
        _ => None,
    };
    found.ok_or_else(|| format!("no {step}"))
}

fn change(parent: &mut Value, step: &str, op: &str, value: Option<&Value>) -> Result<(), String> {
    if !matches!((op, value), ("add" | "replace", Some(_)) | ("remove", None)) {
        return Err(format!("{op} with or without a value"));
    }
    match (op, value, parent) {
        ("add", Some(value), Value::Object(members)) => {
            members.insert(step.to_owned(), value.clone());
        }
        ("add", Some(value), Value::Array(items)) => {
            let at = if step == "-" { Some(items.len()) } else { step.parse().ok() };
            let at = at.filter(|at| *at <= items.len()).ok_or("no such place")?;
            items.insert(at, value.clone());
        }
        ("replace", Some(value), parent) => {
            // A null is taken for "not there": the stricter reading.
            *member(parent, step).and_then(|v| if v.is_null() { Err("null".to_owned()) } else { Ok(v) })? =
                value.clone();
        }
        ("remove", None, Value::Object(members)) => {
            members.remove(step).filter(|v| !v.is_null()).ok_or_else(|| format!("no {step}"))?;
        }
        ("remove", None, Value::Array(items)) => {
            let at = step.parse().ok().filter(|at| *at < items.len()).ok_or("no such place")?;
            items.remove(at);
        }
        _ => return Err(format!("{op} does not fit")),
    }
    Ok(())
}

mod tests {
    use serde_json::json;

    use super::*;

    fn access_only() -> Tokens {
        let claims = json!({"sub": "alice", "department": "A", "a/b~c": 1, "list": ["x"], "nothing": null, "iss": "https://as.test"});
        Tokens { access: Some(Token { claims: claims.as_object().unwrap().clone(), lifetime: 3600 }), identity: None }
    }

    fn access_patch(operations: &Value) -> Minted {
        let body = json!({"commands": [{"type": "com.okta.access.patch", "value": operations}]});
        apply(&access_only(), 200, &body.to_string())
    }

    fn claims_after(operations: &Value) -> Map<String, Value> {
        match access_patch(operations) {
            Minted::Patched(tokens) => tokens.access.unwrap().claims,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_fits_is_applied() {
        let claims = claims_after(&json!([
            {"op": "add", "path": "/claims/on_behalf", "value": "True"},
            {"op": "replace", "path": "/claims/department", "value": "B"},
            {"op": "replace", "path": "/claims/a~1b~0c", "value": 2},
            {"op": "add", "path": "/claims/list/-", "value": "y"},
            {"op": "remove", "path": "/claims/list/0", "value": null},
            {"op": "add", "path": "/claims/sub", "value": "bob"},
            {"op": "replace", "path": "/token/lifetime/expiration", "value": 300},
        ]));
        assert_eq!(
            Value::Object(claims),
            json!({"sub": "bob", "department": "B", "a/b~c": 2, "list": ["y"], "nothing": null, "on_behalf": "True",
                "iss": "https://as.test"})
        );
        assert!(!claims_after(&json!([{"op": "remove", "path": "/claims/department"}])).contains_key("department"));
    }

    #[test]
    fn one_bad_operation_voids_all() {
        let bad = [
            json!({"op": "replace", "path": "/claims/absent", "value": "x"}),
            json!({"op": "replace", "path": "/claims/nothing", "value": "x"}),
            json!({"op": "remove", "path": "/claims/absent"}),
            json!({"op": "remove", "path": "/claims/nothing"}),
            json!({"op": "remove", "path": "/claims/department", "value": "A"}),
            json!({"op": "add", "path": "/claims/x"}),
            json!({"op": "move", "path": "/claims/department", "value": "x"}),
            json!({"op": "add", "path": "/scopes/x", "value": "x"}),
            json!({"op": "add", "path": "/claims/", "value": "x"}),
            json!({"op": "add", "path": "/claims/x~2", "value": "x"}),
            json!({"op": "add", "path": "/claims/department/x", "value": "x"}),
            json!({"op": "add", "path": "/claims/iss", "value": "x"}),
            json!({"op": "replace", "path": "/claims/list/1", "value": "x"}),
            json!({"op": "add", "path": "/claims/list/2", "value": "x"}),
            json!({"op": "remove", "path": "/claims/list/1"}),
            json!({"op": "add", "path": "/token/lifetime/expiration", "value": 600}),
            json!({"op": "replace", "path": "/token/lifetime/expiration", "value": 299}),
            json!({"op": "replace", "path": "/token/lifetime/expiration", "value": 86_401}),
            json!({"path": "/claims/x", "value": "x"}),
        ];
        for operation in bad {
            let minted = access_patch(&json!([{"op": "add", "path": "/claims/good", "value": 1}, operation]));
            assert!(matches!(minted, Minted::Plain(_)), "{operation}: {minted:?}");
        }
    }

    #[test]
    fn a_token_that_is_not_minted_takes_no_patch() {
        for kind in ["com.okta.identity.patch", "com.okta.assertion.patch"] {
            let body = json!({"commands": [{"type": kind, "value": []}]}).to_string();
            assert!(matches!(apply(&access_only(), 200, &body), Minted::Plain(_)), "{kind}");
        }
        let both = Tokens { identity: Some(Token::default()), ..access_only() };
        for (claim, taken) in [("department", true), ("sub", false), ("device_name", false)] {
            let operation = json!({"op": "add", "path": format!("/claims/{claim}"), "value": "x"});
            let body = json!({"commands": [{"type": "com.okta.identity.patch", "value": [operation]}]}).to_string();
            assert_eq!(matches!(apply(&both, 200, &body), Minted::Patched(_)), taken, "{claim}");
        }
    }

    #[test]
    fn only_a_200_counts_and_an_error_means_no_token() {
        let tokens = access_only();
        let error = r#"{"error":{"errorSummary":"No."},"debugContext":{}}"#;
        assert_eq!(apply(&tokens, 200, error), Minted::Nothing("No.".to_owned()));
        assert_eq!(
            apply(&tokens, 200, r#"{"error":{}}"#),
            Minted::Nothing("The callback service returned an error".to_owned())
        );
        assert_eq!(apply(&tokens, 200, r#"{"commands":[]}"#), Minted::Patched(tokens.clone()));
        for (status, body) in [(204, ""), (403, error), (500, error), (200, ""), (200, "[]"), (200, r#"{"claims":{}}"#)]
        {
            assert!(matches!(apply(&tokens, status, body), Minted::Plain(_)), "{status} {body}");
        }
        let long = format!(r#"{{"debugContext":{{"x":"{}"}}}}"#, "x".repeat(MAX_ANSWER));
        assert!(matches!(apply(&tokens, 200, &long), Minted::Plain(_)));
    }
}
