//! Each kind of request: its neutral words, and the answer byte for byte.

use serde_json::{Map, Value, json};

use super::{FIXTURES, ID, answer, decode, golden_request, shown};

const ISSUER: &str = "https://login.example.test/oauth2/payments";

fn access() -> Value {
    let claims = [
        "ver",
        "jti",
        "iss",
        "aud",
        "cid",
        "uid",
        "sub",
        "can_delegate",
        "department",
        "https://example.test/cost~center",
    ];
    json!({"claims": sorted(&claims), "lifetime": 3600})
}

fn identity() -> Value {
    let claims = ["sub", "name", "email", "ver", "iss", "aud", "jti", "amr", "idp", "nonce", "auth_time", "department"];
    json!({"claims": sorted(&claims), "lifetime": 3600})
}

/// Fixtures go through a sorted map before they are sent.
fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

/// A refresh; the other kinds differ from it.
fn neutral(event: &str, differs: &Value) -> Value {
    let mut request = json!({
        "event_id": event,
        "agent": "00uAliceAgent",
        "client": "0oaPaymentsApp",
        "issuer": ISSUER,
        "scopes": ["openid", "payments.read"],
        "grant_type": "refresh_token",
        "candidate": ID,
        "hybrid": false,
        "access": access(),
        "identity": identity(),
    });
    for (field, value) in differs.as_object().unwrap() {
        request[field] = value.clone();
    }
    request
}

const IDENTITY_COMMAND: &str = concat!(
    r#"{"type":"com.okta.identity.patch","value":["#,
    r#"{"op":"replace","path":"/claims/department","value":"Board"},"#,
    r#"{"op":"add","path":"/claims/team","value":"Directors"}]},"#
);
const ACCESS_COMMAND: &str = concat!(
    r#"{"type":"com.okta.access.patch","value":["#,
    r#"{"op":"replace","path":"/claims/can_delegate","value":"False"},"#,
    r#"{"op":"replace","path":"/claims/department","value":"Board"},"#,
    r#"{"op":"add","path":"/claims/on_behalf","value":"True"},"#,
    r#"{"op":"add","path":"/claims/on_behalf_sub","value":"bob@example.test"},"#,
    r#"{"op":"add","path":"/claims/team","value":"Directors"},"#,
    r#"{"op":"remove","path":"/claims/https:~1~1example.test~1cost~0center"}]}"#
);
const GRANTED: &str = concat!(
    r#"],"debugContext":{"decision":"granted","event":"evt_granted","#,
    r#""stages":["grant:continue","lock:continue"]}}"#
);

fn granted(commands: &[&str]) -> (u16, String) {
    (200, format!(r#"{{"commands":[{}{GRANTED}"#, commands.concat()))
}

fn refused(reason: &str) -> (u16, String) {
    let summary = "This delegation can't be used. Start it again. (delegation-not-usable)";
    let debug = format!(r#"{{"decision":"refused","reason":"{reason}","event":"evt_refused","stages":[]}}"#);
    (200, format!(r#"{{"error":{{"errorSummary":"{summary}"}},"debugContext":{debug}}}"#))
}

fn untouched() -> (u16, String) {
    (204, String::new())
}

/// The neutral words, then status and body of the answer.
fn expected(name: &str) -> (Value, (u16, String)) {
    let both = granted(&[IDENTITY_COMMAND, ACCESS_COMMAND]);
    match name {
        "authorization_code" => (neutral("evtCode", &json!({"grant_type": "authorization_code"})), both),
        "implicit" => {
            let differs = json!({"grant_type": null, "identity": null});
            (neutral("evtImplicit", &differs), granted(&[ACCESS_COMMAND]))
        }
        "refresh" => (neutral("evtRefresh", &json!({})), both),
        "refresh_capital_grant" => (neutral("evtRefreshCapital", &json!({})), both),
        "refresh_after_spent_state" => (neutral("evtRefreshSpent", &json!({"candidate": null})), untouched()),
        "refresh_after_spent_state_capital" => {
            (neutral("evtRefreshSpentCapital", &json!({"candidate": null})), untouched())
        }
        "hybrid" => (neutral("evtHybrid", &json!({"grant_type": null, "hybrid": true})), refused("hybrid-flow")),
        "identity_only" => {
            let differs = json!({"grant_type": null, "access": null, "scopes": null});
            (neutral("evtIdentity", &differs), refused("no-access-token"))
        }
        "client_credentials" => {
            let claims = sorted(&["ver", "jti", "iss", "aud", "cid", "sub"]);
            let differs = json!({
                "agent": null, "candidate": null, "grant_type": "client_credentials", "identity": null,
                "scopes": ["payments.read"], "access": {"claims": claims, "lifetime": 3600},
            });
            (neutral("evtMachine", &differs), untouched())
        }
        other => panic!("nothing is expected of {other}"),
    }
}

#[test]
fn every_kind_of_request_is_read_and_answered() {
    for name in FIXTURES {
        let request = decode(&golden_request(name));
        let (neutral, response) = expected(name);
        assert_eq!(shown(&request), neutral, "{name}");
        let answer = answer(&request);
        assert_eq!((answer.status, answer.body), response, "{name}");
    }
}

/// Adds fields at every level, before and behind those that are there. Members of `claims` and `scopes` are names of
/// claims and scopes: nothing is added beside them, only inside.
fn with_added_fields(value: &Value, named: bool) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| with_added_fields(item, false)).collect(),
        Value::Object(members) => {
            let inner = |(key, value): (&String, &Value)| {
                (key.clone(), with_added_fields(value, ["claims", "scopes"].contains(&key.as_str())))
            };
            let mut out: Map<String, Value> = members.iter().map(inner).collect();
            if !named {
                out.insert("00added".to_owned(), json!({"state": "dlg_x", "id": [1, {"claims": null}]}));
                out.insert("Added".to_owned(), json!([[], {}, "x", 1.5e300, true]));
                out.insert("zzAdded".to_owned(), json!(null));
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

#[test]
fn okta_added_a_field() {
    for name in FIXTURES {
        let body = golden_request(name);
        let grown = with_added_fields(&body, false);
        assert_ne!(body, grown);
        assert_eq!(grown["data"]["access"]["claims"], body["data"]["access"]["claims"], "claims are the token's");
        let request = decode(&grown);
        let (neutral, response) = expected(name);
        assert_eq!(shown(&request), neutral, "{name}");
        let answer = answer(&request);
        assert_eq!((answer.status, answer.body), response, "{name}");
    }
}
