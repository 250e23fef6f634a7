use serde_json::json;

use super::*;

fn drafts() -> Drafts {
    let draft = |claims: Value| Draft { claims: claims.as_object().unwrap().clone(), lifetime: 3600 };
    Drafts {
        access: Some(draft(json!({"aud": "api", "sub": "a@x", "can_delegate": "True",
            "list": ["a", "b"], "tree": {"leaf": 1, "deep": [{"x": 1}]}, "https://x/y": 1, "a~b": 1}))),
        identity: Some(draft(json!({"sub": "00u1", "aud": "app", "email": "a@x"}))),
    }
}

fn on(token: &str, operations: &Value) -> Result<Verdict, String> {
    let answer = json!({"commands": [{"type": format!("com.okta.{token}.patch"), "value": operations}]});
    apply(&drafts(), answer.to_string().as_bytes())
}

fn access(operations: &Value) -> Result<Draft, String> {
    match on("access", operations)? {
        Verdict::Patched(patched) => Ok(patched.access.unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_that_asks_for_nothing() {
    for answer in ["{}", r#"{"commands": []}"#, r#"{"commands": null, "debugContext": {"a": 1}}"#, r#"{"error": null}"#]
    {
        assert_eq!(apply(&drafts(), answer.as_bytes()), Ok(Verdict::Nothing), "{answer}");
    }
}

#[test]
fn an_error_refuses_whatever_stands_beside_it() {
    let answer = json!({"error": {"errorSummary": "no"}, "commands": [{"type": "nonsense"}]});
    assert_eq!(apply(&drafts(), answer.to_string().as_bytes()), Ok(Verdict::Refused("no".to_owned())));
    assert_eq!(apply(&drafts(), br#"{"error": {}}"#), Ok(Verdict::Refused(NO_REASON.to_owned())));
}

#[test]
fn claims_are_added_replaced_and_removed() {
    let draft = access(&json!([
        {"op": "add", "path": "/claims/new", "value": ["x"]},
        {"op": "add", "path": "/claims/can_delegate", "value": "False"},
        {"op": "replace", "path": "/claims/sub", "value": "b@x"},
        {"op": "replace", "path": "/claims/aud", "value": "other"},
        {"op": "remove", "path": "/claims/https:~1~1x~1y"},
        {"op": "remove", "path": "/claims/a~0b", "value": null},
    ]))
    .unwrap();
    let mut wanted = drafts().access.unwrap();
    for gone in ["https://x/y", "a~b"] {
        wanted.claims.remove(gone);
    }
    for (name, value) in [("new", json!(["x"])), ("can_delegate", json!("False")), ("sub", json!("b@x"))] {
        wanted.claims.insert(name.to_owned(), value);
    }
    wanted.claims.insert("aud".to_owned(), json!("other"));
    assert_eq!(draft, wanted);
}

#[test]
fn what_is_inside_a_claim_can_be_changed() {
    let draft = access(&json!([
        {"op": "add", "path": "/claims/list/-", "value": "z"},
        {"op": "add", "path": "/claims/list/0", "value": "first"},
        {"op": "remove", "path": "/claims/list/1"},
        {"op": "replace", "path": "/claims/tree/leaf", "value": 2},
        {"op": "add", "path": "/claims/tree/deep/0/y", "value": 2},
    ]))
    .unwrap();
    assert_eq!(draft.claims["list"], json!(["first", "b", "z"]));
    assert_eq!(draft.claims["tree"], json!({"leaf": 2, "deep": [{"x": 1, "y": 2}]}));
}

#[test]
fn a_lifetime_is_replaced_within_its_bounds() {
    let lifetime = |op: &str, value: Value| {
        access(&json!([{"op": op, "path": "/token/lifetime/expiration", "value": value}])).map(|draft| draft.lifetime)
    };
    assert_eq!(lifetime("replace", json!(300)), Ok(300));
    assert_eq!(lifetime("replace", json!(86_400)), Ok(86_400));
    for bad in [json!(299), json!(86_401), json!("600"), json!(600.5), json!(-1)] {
        assert!(lifetime("replace", bad.clone()).is_err(), "{bad}");
    }
    assert!(lifetime("add", json!(600)).is_err());
}

#[test]
fn one_bad_operation_voids_all_of_them() {
    let bad = [
        json!({"op": "replace", "path": "/claims/absent", "value": 1}),
        json!({"op": "remove", "path": "/claims/absent"}),
        json!({"op": "remove", "path": "/claims/can_delegate", "value": "x"}),
        json!({"op": "add", "path": "/claims/x"}),
        json!({"op": "add", "path": "/claims/x", "value": null}),
        json!({"op": "move", "path": "/claims/x", "value": 1}),
        json!({"path": "/claims/x", "value": 1}),
        json!({"op": "add", "value": 1}),
        json!({"op": "add", "path": "claims/x", "value": 1}),
        json!({"op": "add", "path": "/claims", "value": 1}),
        json!({"op": "add", "path": "/claims/", "value": 1}),
        json!({"op": "add", "path": "/claims/x~2", "value": 1}),
        json!({"op": "add", "path": "/claims/x~", "value": 1}),
        json!({"op": "add", "path": "/claims/absent/x", "value": 1}),
        json!({"op": "add", "path": "/claims/sub/x", "value": 1}),
        json!({"op": "add", "path": "/claims/list/3", "value": 1}),
        json!({"op": "add", "path": "/claims/list/00", "value": 1}),
        json!({"op": "replace", "path": "/claims/list/-", "value": 1}),
        json!({"op": "replace", "path": "/claims/list/2", "value": 1}),
        json!({"op": "remove", "path": "/token/lifetime/expiration"}),
        json!({"op": "replace", "path": "/token/lifetime", "value": 600}),
        json!({"op": "add", "path": "/claims/scp", "value": ["x"]}),
        json!({"op": "replace", "path": "/claims/exp", "value": 1}),
        json!({"op": "add", "path": "/claims/groups", "value": []}),
        json!("text"),
    ];
    for operation in bad {
        let good = json!({"op": "add", "path": "/claims/on_behalf", "value": "True"});
        assert!(access(&json!([good, operation])).is_err(), "{operation}");
    }
}

#[test]
fn each_token_has_reserved_claims_of_its_own() {
    let add = |token: &str, name: &str| {
        on(token, &json!([{"op": "add", "path": format!("/claims/{name}"), "value": "x"}])).is_ok()
    };
    for (name, in_access, in_identity) in [
        ("sub", true, false),
        ("aud", true, false),
        ("act", true, true),
        ("uid", false, true),
        ("may_act", true, false),
        ("device_id", true, false),
        ("iss", false, false),
        ("on_behalf", true, true),
    ] {
        assert_eq!((add("access", name), add("identity", name)), (in_access, in_identity), "{name}");
    }
}

#[test]
fn a_patch_for_a_token_that_is_not_minted_voids_the_other_too() {
    let only_access = Drafts { identity: None, ..drafts() };
    let answer = json!({"commands": [
        {"type": "com.okta.access.patch", "value": [{"op": "add", "path": "/claims/x", "value": 1}]},
        {"type": "com.okta.identity.patch", "value": []},
    ]});
    assert!(apply(&only_access, answer.to_string().as_bytes()).is_err());
    assert!(apply(&drafts(), answer.to_string().as_bytes()).is_ok());
}

#[test]
fn an_answer_of_another_form_is_void() {
    for answer in [
        "",
        "<html>",
        "[]",
        r#"{"commands": {}}"#,
        r#"{"commands": [7]}"#,
        r#"{"commands": [{"type": "com.okta.tokens.transform", "value": []}]}"#,
        r#"{"commands": [{"type": "com.okta.access.patch"}]}"#,
        r#"{"commands": [{"type": "com.okta.access.patch", "value": {}}]}"#,
    ] {
        assert!(apply(&drafts(), answer.as_bytes()).is_err(), "{answer}");
    }
}
