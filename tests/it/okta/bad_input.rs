//! Bodies that are no hook, or a poor one: refused in words of ours, never a panic.

use std::fmt::Write as _;

use behalf::{
    domain::hook::{Candidate, HookRequest},
    ports::dialect::Dialect,
};
use serde_json::{Map, Value, json};

use super::{ID, answer, decode, golden_request, not_a_hook, okta, shown};

/// Every field that is read, and whether it is a text, an object or a number.
const READ: &[(&str, &str)] = &[
    ("/eventType", "text"),
    ("/eventId", "text"),
    ("/data", "object"),
    ("/data/context", "object"),
    ("/data/context/request", "object"),
    ("/data/context/request/url", "object"),
    ("/data/context/request/url/value", "text"),
    ("/data/context/protocol", "object"),
    ("/data/context/protocol/request", "object"),
    ("/data/context/protocol/request/state", "text"),
    ("/data/context/protocol/request/grant_type", "text"),
    ("/data/context/protocol/request/response_type", "text"),
    ("/data/context/protocol/originalGrant", "object"),
    ("/data/context/protocol/originalGrant/authorization", "object"),
    ("/data/context/protocol/originalGrant/authorization/state", "text"),
    ("/data/context/protocol/OriginalGrant", "object"),
    ("/data/context/protocol/OriginalGrant/authorization", "object"),
    ("/data/context/protocol/OriginalGrant/authorization/state", "text"),
    ("/data/context/protocol/issuer", "object"),
    ("/data/context/protocol/issuer/uri", "text"),
    ("/data/context/protocol/client", "object"),
    ("/data/context/protocol/client/id", "text"),
    ("/data/context/user", "object"),
    ("/data/context/user/id", "text"),
    ("/data/access", "object"),
    ("/data/access/claims", "object"),
    ("/data/access/token", "object"),
    ("/data/access/token/lifetime", "object"),
    ("/data/access/token/lifetime/expiration", "number"),
    ("/data/access/lifetime", "object"),
    ("/data/access/lifetime/expiration", "number"),
    ("/data/access/scopes", "object"),
    ("/data/identity", "object"),
    ("/data/identity/claims", "object"),
    ("/data/identity/token", "object"),
    ("/data/identity/token/lifetime", "object"),
    ("/data/identity/token/lifetime/expiration", "number"),
    ("/data/identity/lifetime", "object"),
    ("/data/identity/lifetime/expiration", "number"),
];

/// A request that has every field that is read.
fn full() -> Value {
    let mut body = golden_request("authorization_code");
    let protocol = &mut body["data"]["context"]["protocol"];
    protocol["originalGrant"] = json!({"authorization": {"state": "csrf-0"}});
    protocol["OriginalGrant"] = json!({"authorization": {"state": "csrf-0"}});
    for kind in ["access", "identity"] {
        body["data"][kind]["lifetime"] = json!({"expiration": 1800});
    }
    assert!(READ.iter().all(|(path, _)| body.pointer(path).is_some()));
    body
}

/// The object that holds a field, and the field's name.
fn holder<'b, 'p>(body: &'b mut Value, path: &'p str) -> (&'b mut Map<String, Value>, &'p str) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    (body.pointer_mut(parent).unwrap().as_object_mut().unwrap(), name)
}

#[test]
fn a_wrong_type_in_a_field_that_is_read_is_no_hook() {
    for (path, kind) in READ {
        let own = full().pointer(path).unwrap().clone();
        let wrong = [
            ("text", json!("text")),
            ("object", json!({})),
            ("number", json!(1)),
            ("", json!(true)),
            ("", json!([])),
            ("", json!([own])),
            ("", json!(-1)),
            ("", json!(1.5)),
            ("", json!(1e300)),
        ];
        for (_, value) in wrong.iter().filter(|(of, _)| of != kind) {
            let mut body = full();
            *body.pointer_mut(path).unwrap() = value.clone();
            let fault = not_a_hook(body.to_string().as_bytes());
            assert!(fault.detail.contains("wrong type"), "{path} {value}: {}", fault.detail);
        }
    }
}

#[test]
fn null_is_as_good_as_missing() {
    for (path, _) in READ.iter().filter(|(path, _)| *path != "/eventType") {
        let (mut null, mut missing) = (full(), full());
        *null.pointer_mut(path).unwrap() = Value::Null;
        let (holder, name) = holder(&mut missing, path);
        holder.remove(name);
        assert_eq!(shown(&decode(&null)), shown(&decode(&missing)), "{path}");
    }
}

#[test]
fn a_field_that_is_read_must_not_come_twice() {
    let placeholder = "\"the same again\"";
    for (path, _) in READ {
        let mut body = full();
        let (holder, name) = holder(&mut body, path);
        let value = holder[name].clone();
        holder.insert("TWIN".to_owned(), json!("the same again"));
        let twice = body.to_string().replace(&format!("\"TWIN\":{placeholder}"), &format!("\"{name}\":{value}"));
        let fault = not_a_hook(twice.as_bytes());
        assert!(fault.detail.contains("comes twice"), "{path}: {}", fault.detail);
    }
}

#[test]
fn what_is_not_read_may_be_of_any_type_and_come_twice() {
    let expected = shown(&decode(&full()));
    for odd in [json!(null), json!([{}]), json!("x"), json!(-1e300), json!({"id": 1})] {
        let mut body = full();
        body["source"] = odd.clone();
        body["data"]["refresh_token"] = odd.clone();
        body["data"]["identity"]["scopes"] = odd.clone();
        for field in ["session", "policy"] {
            body["data"]["context"][field] = odd.clone();
        }
        for field in ["profile", "_links", "passwordChanged"] {
            body["data"]["context"]["user"][field] = odd.clone();
        }
        body["data"]["context"]["protocol"]["client"]["name"] = odd.clone();
        body["data"]["context"]["protocol"]["originalGrant"]["refresh_token"] = odd.clone();
        body["data"]["access"]["scopes"]["openid"] = odd.clone();
        let text = body.to_string().replacen('{', r#"{"source":0,"#, 1);
        let request = okta().decode(text.as_bytes()).unwrap().into_owned();
        assert_eq!(shown(&request), expected, "{odd}");
    }
}

#[test]
fn what_is_not_json_or_not_an_object_is_no_hook() {
    let cut = full().to_string();
    for body in
        ["", " ", "hello", "null", "true", "7", "\"x\"", "[]", "{", "{}x", "{\"data\":{}", "\u{feff}{}", "a=b&c=d"]
    {
        assert!(!not_a_hook(body.as_bytes()).carries_id, "{body}");
    }
    for length in (0..cut.len()).step_by(97) {
        let fault = not_a_hook(&cut.as_bytes()[..length]);
        assert_eq!(fault.carries_id, cut[..length].contains("dlg_"), "{length}");
    }
    assert_eq!(not_a_hook(b"{\"a\":\"\xff\"}").detail, "no UTF-8 behind byte 6");
}

#[test]
fn only_one_event_type_is_ours() {
    for (kind, detail) in [
        (json!("com.okta.oauth2.tokens.transform2"), "another event type"),
        (json!("com.okta.saml.tokens.transform"), "another event type"),
        (json!(""), "another event type"),
        (json!(null), "no event type"),
    ] {
        let mut body = full();
        body["eventType"] = kind;
        let fault = not_a_hook(body.to_string().as_bytes());
        assert_eq!(fault.detail, detail);
        assert!(fault.carries_id);
    }
    assert_eq!(not_a_hook(b"{}").detail, "no event type");
}

#[test]
fn a_fault_tells_whether_the_body_may_carry_an_id_and_nothing_of_the_content() {
    let carrying = [
        format!(r#"{{"data":"{ID}"}}"#),
        format!(r#"{{"{ID}"#),
        format!(r#"{{"eventType":["{ID}"]}}"#),
        format!(r#"{{"data":{{"context":"\u0064lg_{}"}}}}"#, &ID[4..]),
        format!("delegationid=%64%6C%67%5F{}", &ID[4..]),
    ];
    for body in carrying {
        let fault = not_a_hook(body.as_bytes());
        assert!(fault.carries_id, "{body}");
        assert!(!fault.to_string().contains(&ID[4..]), "{fault}");
    }
    for body in [r#"{"data":"secret-7"}"#, r#"{"eventType":"secret-7"}"#, "secret-7"] {
        let fault = not_a_hook(body.as_bytes());
        assert!(!fault.carries_id && !fault.to_string().contains("secret-7"), "{fault}");
    }
}

/// A value `depth` levels deep, in arrays or objects.
fn deep(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn depth_overflows_no_stack() {
    let expected = shown(&decode(&full()));
    for depth in [1_000, 100_000] {
        for bomb in [deep("[", "]", depth), deep("{\"a\":", "}", depth)] {
            for path in ["/source", "/data/context/session", "/data/refresh_token", "/data/access/claims/sub"] {
                let mut body = full();
                let (holder, name) = holder(&mut body, path);
                holder.insert(name.to_owned(), json!("BOMB"));
                let text = body.to_string().replace("\"BOMB\"", &bomb);
                let request = okta().decode(text.as_bytes()).unwrap().into_owned();
                assert_eq!(shown(&request), expected, "{path}");
            }
            for (path, _) in READ {
                let mut body = full();
                *body.pointer_mut(path).unwrap() = json!("BOMB");
                let text = body.to_string().replace("\"BOMB\"", &bomb);
                // An object of unknown members is as good as an empty one.
                let is_read = okta().decode(text.as_bytes()).is_ok();
                assert!(!is_read || bomb.starts_with('{'), "{path}");
            }
            not_a_hook(bomb.as_bytes());
            not_a_hook(&bomb.as_bytes()[..bomb.len() / 2]);
        }
    }
}

#[test]
fn numbers_beyond_all_bounds_are_no_lifetimes() {
    for number in ["-1", "0.5", "1e3", "18446744073709551616", "1e999", "-0.0", "9".repeat(4000).as_str()] {
        let text = full().to_string().replace("\"expiration\":3600", &format!("\"expiration\":{number}"));
        not_a_hook(text.as_bytes());
    }
    let text = full().to_string().replace("\"expiration\":3600", "\"expiration\":18446744073709551615");
    let request = okta().decode(text.as_bytes()).unwrap().into_owned();
    assert_eq!(request.access.unwrap().lifetime, Some(u64::MAX));
    let odd = full().to_string().replace("\"ver\":1", &format!("\"ver\":-{}e999", "9".repeat(400)));
    let is_read = okta().decode(odd.as_bytes()).is_ok();
    assert!(is_read, "a claim's value is nothing to us");
}

#[test]
fn odd_characters_come_through_as_they_are() {
    for odd in ["a\0b", "\u{202e}evil", "x\u{2028}", "", " ", "💥"] {
        let mut body = golden_request("refresh");
        let context = &mut body["data"]["context"];
        context["user"]["id"] = json!(odd);
        context["protocol"]["request"]["state"] = json!(format!("dlg_{odd}"));
        context["request"]["url"]["value"] = json!(odd);
        body["data"]["access"]["claims"][odd] = json!(1);
        let request = decode(&body);
        assert_eq!(request.agent.as_deref(), Some(odd), "judged where it is used");
        assert!(request.candidate == Candidate::One(format!("dlg_{odd}").into()));
        assert!(request.access.as_ref().unwrap().has(odd));
        assert_eq!(answer(&request).status, 200);
    }
    assert!(!not_a_hook(b"{\"eventType\":\"a\0b\"}").carries_id, "a bare NUL is not JSON");
}

#[test]
fn a_body_of_300_kib_is_read_like_any_other() {
    let mut claims = String::new();
    for n in 0..20_000 {
        write!(claims, "\"claim{n:06}\":1,").unwrap();
    }
    assert!(claims.len() > 300_000);
    let text = full().to_string().replace("\"claims\":{", &format!("\"claims\":{{{claims}"));
    let request = okta().decode(text.as_bytes()).unwrap().into_owned();
    assert_eq!(request.access.unwrap().claims.len(), 20_010);
}

#[test]
fn a_hook_without_user_client_or_tokens_is_still_a_hook() {
    let bare = decode(&json!({"eventType": "com.okta.oauth2.tokens.transform"}));
    assert!(bare == HookRequest::default());
    for (path, field) in
        [("/data/context/user", "agent"), ("/data/context/protocol/client", "client"), ("/data/access", "access")]
    {
        let mut body = full();
        let (holder, name) = holder(&mut body, path);
        holder.remove(name);
        let request = decode(&body);
        assert_eq!(shown(&request)[field], Value::Null);
        assert!(request.candidate == Candidate::One(ID.into()));
        assert_eq!(answer(&request).status, 200);
    }
}

#[test]
fn a_claim_that_is_null_is_not_there() {
    let mut body = full();
    body["data"]["access"]["claims"]["on_behalf"] = Value::Null;
    assert!(!decode(&body).access.unwrap().has("on_behalf"));
}
