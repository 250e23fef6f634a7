use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::{
    ids::{Login, UserId},
    user::Status,
};

fn bob(profile: &[(&str, Value)]) -> User {
    User {
        id: UserId::parse("00uBob").unwrap(),
        login: Login::parse("bob@example.test").unwrap(),
        status: Status::Active,
        user_type: None,
        profile: profile.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
    }
}

fn token(claims: &[&str]) -> TokenFacts<'static> {
    let claims = claims.iter().map(|c| Cow::Owned((*c).to_owned())).collect();
    TokenFacts { claims, lifetime: Some(3600) }
}

fn request(access: Option<&[&str]>, identity: Option<&[&str]>) -> HookRequest<'static> {
    HookRequest { access: access.map(token), identity: identity.map(token), ..HookRequest::default() }
}

fn policy(access: &[&str], identity: &[&str]) -> ClaimsPolicy {
    let map = |names: &[&str]| names.iter().map(|n| MappedClaim::parse(n).unwrap()).collect();
    ClaimsPolicy { access: map(access), identity: map(identity), ..ClaimsPolicy::default() }
}

#[test]
fn a_delegated_token_says_so_in_three_claims() {
    let patch = policy(&[], &[]).delegated(&request(Some(&["sub"]), Some(&["sub"])), &bob(&[])).unwrap();
    let set: Vec<_> = patch.access.set.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    assert_eq!(
        set,
        [("can_delegate", json!("False")), ("on_behalf", json!("True")), ("on_behalf_sub", json!("bob@example.test"))]
    );
    assert!(patch.identity.is_empty());
}

#[test]
fn an_attribute_the_agent_has_and_the_delegator_has_not_is_removed() {
    for absent in [None, Some(Value::Null), Some(json!("")), Some(json!([]))] {
        let bob = absent.map_or_else(|| bob(&[]), |v| bob(&[("department", v)]));
        let policy = policy(&["department"], &["department"]);
        let patch = policy.delegated(&request(Some(&["department"]), Some(&["sub"])), &bob).unwrap();
        assert!(patch.access.remove.contains("department"));
        assert!(patch.identity.remove.is_empty(), "a removal of an absent claim would void everything on Okta");
    }
}

#[test]
fn keep_restores_the_old_behaviour() {
    let policy = ClaimsPolicy { missing: MissingAttributes::Keep, ..policy(&["department"], &[]) };
    let patch = policy.delegated(&request(Some(&["department"]), None), &bob(&[])).unwrap();
    assert!(patch.access.remove.is_empty());
}

#[test]
fn attributes_are_renamed_on_request() {
    let patch = policy(&["costCenter=cost"], &[])
        .delegated(&request(Some(&[]), None), &bob(&[("costCenter", json!(["a", "b"]))]))
        .unwrap();
    assert_eq!(patch.access.set["cost"], json!(["a", "b"]));
}

#[test]
fn without_an_access_token_there_is_no_delegation() {
    let got = policy(&[], &[]).delegated(&request(None, Some(&["sub"])), &bob(&[]));
    assert_eq!(got, Err(Reason::NoAccessToken));
}

#[test]
fn a_subject_attribute_must_have_a_value() {
    let policy = ClaimsPolicy { subject_attribute: Some("employeeNumber".into()), ..ClaimsPolicy::default() };
    assert_eq!(policy.subject_of(&bob(&[])), Err(Reason::SubjectMissing));
    assert_eq!(policy.subject_of(&bob(&[("employeeNumber", json!("7"))])), Ok("7".to_owned()));
}

#[test]
fn pretended_claims_are_stripped_but_can_delegate_stays() {
    let policy = ClaimsPolicy::default();
    let patch = policy.stripped(&request(Some(&["on_behalf", "can_delegate"]), Some(&["on_behalf_sub"]))).unwrap();
    assert_eq!(patch.access.remove.iter().collect::<Vec<_>>(), ["on_behalf"]);
    assert_eq!(patch.identity.remove.iter().collect::<Vec<_>>(), ["on_behalf_sub"]);
    assert_eq!(policy.stripped(&request(Some(&["can_delegate"]), None)), None);
}

#[test]
fn a_claim_of_ours_is_found_in_any_spelling() {
    let names = ClaimNames { on_behalf_sub: "für_wen".to_owned(), ..ClaimNames::default() };
    for body in ["{\"on_behalf\":", "{\"on_beh\\u0061lf\":", "{\"für_wen\":", "{\"f\\u00fcr_wen\":"] {
        assert!(names.may_be_in(body.as_bytes()), "{body}");
    }
    assert!(!names.may_be_in(br#"{"can_delegate":"True"#));
}

#[test]
fn lifetimes_are_only_ever_shortened() {
    let bounds = (300, 86_400);
    let req = request(Some(&[]), Some(&[]));
    let run = |limit, overrun| {
        let mut patch = ClaimPatch::default();
        limit_lifetime(&mut patch, &req, limit, bounds, overrun).map(|()| patch.access.lifetime)
    };
    assert_eq!(run(600, false), Ok(Some(600)));
    assert_eq!(run(3600, false), Ok(None));
    assert_eq!(run(7200, false), Ok(None));
    assert_eq!(run(299, false), Err(Reason::LifetimeTooShort));
    assert_eq!(run(299, true), Ok(Some(300)));
    let mut patch = ClaimPatch::default();
    let unknown = HookRequest { access: Some(TokenFacts::default()), ..HookRequest::default() };
    assert_eq!(limit_lifetime(&mut patch, &unknown, 600, bounds, false), Err(Reason::LifetimeUnknown));
}

#[test]
fn mapped_claims_are_read_strictly() {
    for bad in ["", "=", "a=", "=b", "a b", "a\0"] {
        assert!(MappedClaim::parse(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn claims_that_are_not_ours_are_never_touched(
        present in proptest::collection::btree_set("[a-z_]{1,12}", 0..12),
        mapped in proptest::collection::btree_set("[a-z_]{1,6}", 0..6),
        has in any::<bool>(),
    ) {
        let names: Vec<&str> = mapped.iter().map(String::as_str).collect();
        let policy = policy(&names, &names);
        let present: Vec<&str> = present.iter().map(String::as_str).collect();
        let profile: Vec<(&str, Value)> = names.iter().filter(|_| has).map(|n| (*n, json!("v"))).collect();
        let request = request(Some(&present), Some(&present));
        let patch = policy.delegated(&request, &bob(&profile)).unwrap();
        let ours = |name: &str| mapped.contains(name) || ["on_behalf", "on_behalf_sub", "can_delegate"].contains(&name);
        for part in [&patch.access, &patch.identity] {
            for name in part.set.keys().chain(&part.remove) {
                prop_assert!(ours(name), "{name}");
            }
            for name in &part.remove {
                prop_assert!(present.contains(&name.as_str()), "{name} is not there to be removed");
                prop_assert!(!part.set.contains_key(name));
            }
        }
    }
}
