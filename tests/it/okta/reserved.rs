//! Names of claims that are refused when the configuration is loaded.

use behalf::{adapters::dialect::okta::check_claim_names, domain::claims::ClaimNames};

use super::mapped;

fn faults(access: &[&str], identity: &[&str]) -> Vec<String> {
    check_claim_names(&ClaimNames::default(), &mapped(access), &mapped(identity)).err().unwrap_or_default()
}

#[test]
fn claims_that_okta_reserves_are_refused_by_name() {
    for both in ["sub", "iss", "exp", "cnf", "groups", "token_type", "aud", "client_id", "scope"] {
        let faults = faults(&[both], &[both]);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults.iter().all(|fault| fault.contains(&format!("`{both}`"))), "{faults:?}");
    }
    for access in ["scp", "uid", "username", "authorization_details", "azp", "nbf"] {
        assert_eq!(faults(&[access], &[]).len(), 1, "{access}");
        assert_eq!(faults(&[], &[access]).len(), 0, "{access}");
    }
    for identity in ["may_act", "nonce", "device_", "device_id", "okta_lastUpdated"] {
        assert_eq!(faults(&[], &[identity]).len(), 1, "{identity}");
        assert_eq!(faults(&[identity], &[]).len(), 0, "{identity}");
    }
    assert_eq!(faults(&["team=scp", "act", "scp=team"], &["act"]).len(), 1, "the claim's name counts");
}

#[test]
fn our_own_claims_and_duplicates_are_refused() {
    for own in ["on_behalf", "on_behalf_sub", "can_delegate"] {
        assert_eq!(faults(&[own], &[own]).len(), 2, "{own}");
    }
    assert_eq!(faults(&["team", "group=team"], &["team"]).len(), 1);
    assert_eq!(faults(&["sub", "sub", "a", "a"], &["b=on_behalf"]).len(), 4, "all faults at once");
    assert_eq!(faults(&["department", "team"], &["department"]), Vec::<String>::new());
}

#[test]
fn renamed_claims_of_ours_are_checked_too() {
    let names = |on_behalf: &str, sub: &str| ClaimNames {
        on_behalf: on_behalf.to_owned(),
        on_behalf_sub: sub.to_owned(),
        ..ClaimNames::default()
    };
    let faults = |names: &ClaimNames| check_claim_names(names, &mapped(&["on_behalf"]), &[]).err().unwrap_or_default();
    assert_eq!(faults(&names("https://x.test/act", "act_sub")), Vec::<String>::new());
    for (on_behalf, sub) in [("x", "sub"), ("uid", "x"), ("orig", "x"), ("x", "x"), ("", "x"), ("can_delegate", "x")] {
        assert_eq!(faults(&names(on_behalf, sub)).len(), 1, "{on_behalf} {sub}");
    }
}
