//! The rules of Okta's answers.

use std::collections::BTreeMap;

use behalf::{
    config::DialectKind,
    domain::{
        claims::{ClaimPatch, TokenPatch},
        hook::{Decision, Effect, HookRequest, OnRefusal, Outcome, RefusalForm},
        reason::Reason,
    },
    ports::dialect::Dialect,
};
use serde_json::{Value, json};

use super::{okta, token, trace};

fn minting(access: Option<&[&'static str]>, identity: Option<&[&'static str]>) -> HookRequest<'static> {
    HookRequest { access: access.map(token), identity: identity.map(token), ..HookRequest::default() }
}

fn set(claims: &[(&str, Value)]) -> TokenPatch {
    let set: BTreeMap<_, _> = claims.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    TokenPatch { set, ..TokenPatch::default() }
}

fn remove(claims: &[&str]) -> TokenPatch {
    TokenPatch { remove: claims.iter().map(|name| (*name).to_owned()).collect(), ..TokenPatch::default() }
}

fn granted(patch: ClaimPatch) -> Decision {
    Decision { outcome: Outcome::Granted, effect: Effect::Patch(patch), event: None, trace: Vec::new(), sealed: None }
}

/// The commands that a patch comes to.
fn commands(request: &HookRequest<'_>, patch: ClaimPatch) -> Value {
    let answer = okta().encode(request, &granted(patch));
    assert_eq!(answer.status, 200);
    serde_json::from_str::<Value>(&answer.body).unwrap()["commands"].take()
}

#[test]
fn nothing_to_say_is_204_without_a_body() {
    let answer = okta().encode(&minting(Some(&[]), None), &Decision::UNTOUCHED);
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
}

#[test]
fn a_refusal_that_passes_says_so_to_the_log_only() {
    let form = RefusalForm { on_refused: OnRefusal::Pass, on_failure: OnRefusal::Pass };
    let answer = okta().encode(&minting(Some(&[]), None), &form.refuse(Reason::Expired));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, r#"{"commands":[],"debugContext":{"decision":"refused","reason":"expired","stages":[]}}"#);
}

#[test]
fn a_rejection_tells_the_user_the_public_half_only() {
    let decision = Decision {
        event: Some("evt_1".to_owned()),
        trace: vec![trace("grant", "grant-gone")],
        ..RefusalForm::default().refuse(Reason::GrantGone)
    };
    let answer = okta().encode(&minting(Some(&[]), None), &decision);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        concat!(
            r#"{"error":{"errorSummary":"You may not act on behalf of this user. (not-delegated)"},"#,
            r#""debugContext":{"decision":"refused","reason":"grant-gone","event":"evt_1","#,
            r#""stages":["grant:grant-gone"]}}"#
        )
    );
}

#[test]
fn no_exact_reason_leaves_the_debug_context() {
    for reason in Reason::ALL {
        let answer = okta().encode(&minting(Some(&[]), None), &RefusalForm::default().refuse(*reason));
        let mut body: Value = serde_json::from_str(&answer.body).unwrap();
        let debug = body["debugContext"].take();
        assert_eq!(debug["reason"], json!(reason.code()));
        let public = reason.public();
        assert_eq!(body["error"]["errorSummary"], json!(format!("{} ({})", public.text(), public.code())));
        assert_eq!(body.get("commands"), None);
        if reason.code() != public.code() {
            assert!(!body.to_string().contains(reason.code()), "{body}");
        }
    }
}

#[test]
fn a_rejection_without_a_reason_is_a_failure_of_ours() {
    let decision =
        Decision { outcome: Outcome::Granted, effect: Effect::Reject, event: None, trace: Vec::new(), sealed: None };
    let body = okta().encode(&HookRequest::default(), &decision).body;
    assert!(body.contains("(temporarily-unavailable)"), "{body}");
}

#[test]
fn add_or_replace_follows_from_the_claims_present() {
    let patch = || ClaimPatch { access: set(&[("here", json!("x")), ("new", json!(["y"]))]), ..ClaimPatch::default() };
    let here = commands(&minting(Some(&["here", "sub"]), None), patch());
    assert_eq!(
        here,
        json!([{"type": "com.okta.access.patch", "value": [
            {"op": "replace", "path": "/claims/here", "value": "x"},
            {"op": "add", "path": "/claims/new", "value": ["y"]},
        ]}])
    );
    let none = commands(&minting(Some(&[]), None), patch());
    assert_eq!(none[0]["value"][0]["op"], json!("add"));
}

#[test]
fn a_removal_has_no_value_and_names_a_claim_that_is_there() {
    let patch = ClaimPatch { access: remove(&["here", "gone"]), ..ClaimPatch::default() };
    assert_eq!(
        commands(&minting(Some(&["here"]), None), patch.clone()),
        json!([{"type": "com.okta.access.patch", "value": [{"op": "remove", "path": "/claims/here"}]}])
    );
    assert_eq!(commands(&minting(Some(&["other"]), None), patch), json!([]), "no empty command either");
}

#[test]
fn a_claim_that_is_set_is_not_removed_too() {
    let access = TokenPatch { remove: remove(&["here"]).remove, ..set(&[("here", json!("x"))]) };
    let commands = commands(&minting(Some(&["here"]), None), ClaimPatch { access, ..ClaimPatch::default() });
    assert_eq!(commands[0]["value"], json!([{"op": "replace", "path": "/claims/here", "value": "x"}]));
}

#[test]
fn a_token_that_is_not_minted_gets_no_command() {
    let patch = || ClaimPatch { access: set(&[("a", json!("x"))]), identity: set(&[("i", json!("x"))]) };
    let kinds = |access, identity| {
        let commands = commands(&minting(access, identity), patch());
        commands.as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (access, identity) = ("com.okta.access.patch", "com.okta.identity.patch");
    let token: Option<&[&str]> = Some(&[]);
    assert_eq!(kinds(token, None), [access]);
    assert_eq!(kinds(None, token), [identity]);
    assert_eq!(kinds(token, token), [identity, access]);
    assert!(kinds(None, None).is_empty());
}

#[test]
fn names_are_escaped_as_json_pointers() {
    let patch = ClaimPatch {
        access: set(&[("https://x.test/y~z", json!("x")), ("~1", json!("x")), ("\"q\"", json!("x"))]),
        ..ClaimPatch::default()
    };
    let commands = commands(&minting(Some(&[]), None), patch);
    let paths: Vec<_> = commands[0]["value"].as_array().unwrap().iter().map(|op| op["path"].clone()).collect();
    assert_eq!(paths, [json!("/claims/\"q\""), json!("/claims/https:~1~1x.test~1y~0z"), json!("/claims/~01")]);
}

#[test]
fn lifetimes_are_replaced_within_what_okta_takes() {
    for (wanted, sent) in [(0, 300), (299, 300), (300, 300), (600, 600), (86_400, 86_400), (u64::MAX, 86_400)] {
        let shorter = || TokenPatch { lifetime: Some(wanted), ..TokenPatch::default() };
        let patch = ClaimPatch { access: shorter(), identity: shorter() };
        let operation = json!({"op": "replace", "path": "/token/lifetime/expiration", "value": sent});
        assert_eq!(
            commands(&minting(Some(&[]), Some(&[])), patch),
            json!([
                {"type": "com.okta.identity.patch", "value": [operation]},
                {"type": "com.okta.access.patch", "value": [operation]},
            ])
        );
    }
    assert_eq!(okta().lifetime_bounds(), Some((300, 86_400)));
    assert_eq!(okta().lifetime_bounds(), DialectKind::Okta.lifetime_bounds(), "rules are held against the same");
}

#[test]
fn operations_come_in_one_order() {
    let access = TokenPatch {
        remove: remove(&["y", "x"]).remove,
        lifetime: Some(600),
        ..set(&[("b", json!(1)), ("a", json!(2))])
    };
    let commands = commands(&minting(Some(&["x", "y"]), None), ClaimPatch { access, ..ClaimPatch::default() });
    let paths: Vec<_> = commands[0]["value"].as_array().unwrap().iter().map(|op| op["path"].clone()).collect();
    assert_eq!(paths, ["/claims/a", "/claims/b", "/claims/x", "/claims/y", "/token/lifetime/expiration"]);
}

#[test]
fn the_dialect_knows_its_name_and_okta_s_patience() {
    assert_eq!(okta().name(), "okta");
    assert_eq!(okta().patience(), std::time::Duration::from_secs(3));
}
