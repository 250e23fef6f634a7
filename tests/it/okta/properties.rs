//! What must hold for every request and every patch.

use std::collections::{BTreeMap, BTreeSet};

use behalf::{
    adapters::dialect::okta::check_claim_names,
    domain::{
        claims::{ClaimsPolicy, MappedClaim, MissingAttributes, limit_lifetime},
        hook::{Decision, Effect, HookRequest, Outcome, TokenFacts},
        user::User,
    },
    ports::dialect::Dialect,
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Map, Value, json};

use super::{FIXTURES, bob, golden_request, okta};
use crate::support::okta_apply::{Minted, Token, Tokens, apply};

/// Any JSON, some of it with names that mean something to us.
fn any_json() -> impl Strategy<Value = Value> {
    let names =
        || prop_oneof![select(vec!["id", "state", "data", "value", "claims"]).prop_map(str::to_owned), ".{0,6}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![".{0,12}", "dlg_[a-z]{0,3}"].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::from), map_of(names(), inner).prop_map(Value::Object)]
    })
}

fn map_of(
    names: impl Strategy<Value = String>,
    values: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Map<String, Value>> {
    btree_map(names, values, 0..5).prop_map(|members| members.into_iter().collect())
}

/// Names of claims: ours, common and reserved ones, and some that need escaping.
fn claim_name() -> impl Strategy<Value = String> {
    let known =
        vec!["on_behalf", "on_behalf_sub", "can_delegate", "sub", "iss", "scp", "department", "team", "a/b", "~1"];
    prop_oneof![3 => select(known).prop_map(str::to_owned), 1 => "[a-e~/\"é-]{1,4}"]
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    btree_map(claim_name(), any_json(), 0..10).prop_map(|claims| claims.into_iter().collect())
}

fn token() -> impl Strategy<Value = Token> {
    (claims(), 0_u64..200_000).prop_map(|(claims, lifetime)| Token { claims, lifetime })
}

/// Mappings that the configuration lets through.
fn policy() -> impl Strategy<Value = ClaimsPolicy> {
    let mapped = || {
        vec((select(vec!["department", "team", "absent"]), claim_name()), 0..6).prop_map(|pairs| {
            let claim = |(attribute, claim): (&str, String)| MappedClaim { attribute: attribute.to_owned(), claim };
            pairs.into_iter().map(claim).collect::<Vec<_>>()
        })
    };
    (mapped(), mapped(), any::<bool>()).prop_map(|(access, identity, keep)| {
        let missing = if keep { MissingAttributes::Keep } else { MissingAttributes::Remove };
        let mut policy = ClaimsPolicy { missing, ..ClaimsPolicy::default() };
        for claim in access {
            policy.access.push(claim);
            if check_claim_names(&policy.names, &policy.access, &[]).is_err() {
                policy.access.pop();
            }
        }
        for claim in identity {
            policy.identity.push(claim);
            if check_claim_names(&policy.names, &[], &policy.identity).is_err() {
                policy.identity.pop();
            }
        }
        policy
    })
}

fn delegator(profile: BTreeMap<String, Value>) -> User {
    User { profile, ..bob() }
}

fn body_of(tokens: &Tokens) -> String {
    let mut data = json!({});
    for (kind, token) in [("access", &tokens.access), ("identity", &tokens.identity)] {
        if let Some(Token { claims, lifetime }) = token {
            data[kind] = json!({"claims": claims, "token": {"lifetime": {"expiration": lifetime}}});
        }
    }
    json!({"eventType": "com.okta.oauth2.tokens.transform", "data": data}).to_string()
}

/// Answers with the patch and lets the simulator apply it.
fn apply_patch(request: &HookRequest<'_>, effect: Effect, tokens: &Tokens) -> Minted {
    let decision = Decision { outcome: Outcome::Granted, effect, event: None, trace: Vec::new(), sealed: None };
    let answer = okta().encode(request, &decision);
    apply(tokens, answer.status, &answer.body)
}

/// The claims that are not in the list, which nothing may change.
fn others(token: Option<&Token>, ours: &BTreeSet<&str>) -> Option<Map<String, Value>> {
    let kept = |(name, _): &(&String, &Value)| !ours.contains(name.as_str());
    token.map(|token| token.claims.iter().filter(kept).map(|(n, v)| (n.clone(), v.clone())).collect())
}

proptest! {
    #[test]
    fn a_delegation_is_applied_whole_and_touches_nothing_else(
        access in token(),
        identity in option::of(token()),
        policy in policy(),
        profile in btree_map(select(vec!["department", "team"]).prop_map(str::to_owned), any_json(), 0..3),
        limit in 300_u64..100_000,
    ) {
        let before = Tokens { access: Some(access), identity };
        let body = body_of(&before);
        let request = okta().decode(body.as_bytes()).unwrap();
        let mut patch = policy.delegated(&request, &delegator(profile)).unwrap();
        limit_lifetime(&mut patch, &request, limit, okta().lifetime_bounds().unwrap(), false).unwrap();
        let minted = apply_patch(&request, Effect::Patch(patch), &before);
        let Minted::Patched(after) = minted else {
            return Err(TestCaseError::fail(format!("not applied: {minted:?}")));
        };

        let own = ["on_behalf", "on_behalf_sub", "can_delegate"];
        let ours = |mapped: &'_ [MappedClaim]| -> BTreeSet<String> {
            mapped.iter().map(|m| m.claim.clone()).chain(own.map(str::to_owned)).collect()
        };
        for (before, after, mapped) in [
            (&before.access, &after.access, ours(&policy.access)),
            (&before.identity, &after.identity, ours(&policy.identity)),
        ] {
            let mapped = mapped.iter().map(String::as_str).collect();
            prop_assert_eq!(others(before.as_ref(), &mapped), others(after.as_ref(), &mapped));
            if let (Some(before), Some(after)) = (before, after) {
                prop_assert_eq!(after.lifetime, before.lifetime.min(limit.min(86_400)));
            }
        }
        let claims = &after.access.as_ref().unwrap().claims;
        prop_assert_eq!(&claims["on_behalf"], "True");
        prop_assert_eq!(&claims["on_behalf_sub"], "bob@example.test");
        prop_assert_eq!(&claims["can_delegate"], "False");
    }

    #[test]
    fn pretended_claims_are_taken_away_whole(
        access in option::of(token()),
        identity in option::of(token()),
        policy in policy(),
    ) {
        let before = Tokens { access, identity };
        let body = body_of(&before);
        let request = okta().decode(body.as_bytes()).unwrap();
        let after = match policy.stripped(&request) {
            None => before.clone(),
            Some(patch) => match apply_patch(&request, Effect::Patch(patch), &before) {
                Minted::Patched(after) => after,
                other => return Err(TestCaseError::fail(format!("not applied: {other:?}"))),
            },
        };
        let ours = ["on_behalf", "on_behalf_sub"].into();
        for (before, after) in [(&before.access, &after.access), (&before.identity, &after.identity)] {
            prop_assert_eq!(others(before.as_ref(), &ours), others(after.as_ref(), &ours));
            for claims in after.iter().map(|token| &token.claims) {
                prop_assert!(ours.iter().all(|name| claims.get(*name).is_none_or(Value::is_null)));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        let plain = bytes.windows(4).any(|part| part == b"dlg_");
        match okta().decode(&bytes) {
            Ok(request) => prop_assert!(request.agent.is_none(), "random bytes name nobody"),
            Err(fault) => prop_assert!(fault.carries_id || !plain),
        }
    }

    #[test]
    fn any_change_of_a_request_is_read_or_refused(
        name in select(FIXTURES),
        changes in vec((any::<Index>(), 0..3, any_json()), 1..4),
    ) {
        let mut body = golden_request(name);
        for (at, kind, value) in &changes {
            change(&mut body, *at, *kind, value);
        }
        // A duplicate is made in the text: a map can't hold it.
        let mut text = body.to_string();
        while let Some(at) = text.find("\"DOUBLE:") {
            text.replace_range(at + 1..at + "\"DOUBLE:".len(), "");
        }
        match okta().decode(text.as_bytes()) {
            Ok(request) => {
                let tokens = Tokens::of(&serde_json::from_str(&text).unwrap());
                // A claim that comes twice has no one value to be patched.
                prop_assume!([&request.access, &request.identity].into_iter().flatten().all(is_unique));
                let response = super::answer(&request);
                let minted = apply(&tokens, response.status, &response.body);
                prop_assert!(response.status == 204 || !matches!(minted, Minted::Plain(_)), "{:?}", minted);
            }
            Err(fault) => prop_assert!(fault.carries_id || !text.contains("dlg_")),
        }
    }
}

fn is_unique(token: &TokenFacts<'_>) -> bool {
    token.claims.iter().collect::<BTreeSet<_>>().len() == token.claims.len()
}

/// Drops, replaces or doubles one member, anywhere in the tree.
fn change(body: &mut Value, at: Index, kind: i32, value: &Value) {
    let mut paths = Vec::new();
    members(body, "", &mut paths);
    if paths.is_empty() {
        return;
    }
    let path = at.get(&paths);
    let (parent, name) = path.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/").replace("~0", "~");
    let Some(Value::Object(members)) = body.pointer_mut(parent) else { return };
    match kind {
        0 => members.remove(&name),
        1 => members.insert(name, value.clone()),
        _ => members.insert(format!("DOUBLE:{name}"), value.clone()),
    };
}

/// JSON pointers of all members of all objects.
fn members(value: &Value, path: &str, out: &mut Vec<String>) {
    let Value::Object(entries) = value else { return };
    for (name, value) in entries {
        let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        members(value, &path, out);
        out.push(path);
    }
}
