//! Whatever a tenant has.

use super::*;

fn attributes() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let attribute = |permissions: Value, kind: &str| {
        let value = json!({"title": "t", "type": kind, "items": {"type": "string"}, "permissions": permissions});
        BTreeMap::from([(ATTRIBUTE.to_owned(), value)])
    };
    let own = |action: &str| json!([{"principal": "SELF", "action": action}]);
    prop_oneof![
        Just(BTreeMap::new()),
        Just(attribute(own("READ_ONLY"), "array")),
        Just(attribute(own("READ_WRITE"), "array")),
        Just(attribute(Value::Null, "array")),
        Just(attribute(own("READ_ONLY"), "string")),
    ]
}

fn hooks() -> impl Strategy<Value = Vec<Hook>> {
    let uris = prop_oneof![
        Just("https://behalf.example.com/hooks/okta"),
        Just("https://behalf.example.com/tokenEnrichment/agent"),
        Just("https://elsewhere.example.com/hooks/okta"),
    ];
    let hook = (
        uris,
        prop_oneof![Just("authorization"), Just("X-Key")],
        any::<bool>(),
        prop_oneof![Just("behalf"), Just("other")],
    );
    proptest::collection::vec(hook, 0..3).prop_map(|hooks| {
        let all = hooks.into_iter().enumerate().map(|(at, (uri, key, active, name))| {
            let mut hook = token_hook(&format!("cal{at}"), name, uri, key);
            hook.status = if active { "ACTIVE" } else { "INACTIVE" }.to_owned();
            hook
        });
        all.collect()
    })
}

fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let hook = prop_oneof![2 => Just(None), 1 => Just(Some("cal0")), 1 => Just(Some("calx"))];
    let rules = proptest::collection::vec((hook, any::<bool>()), 0..3);
    let clients = prop_oneof![Just("ALL_CLIENTS"), Just(APP), Just("0oaother")];
    let one = (
        clients,
        rules,
        prop_oneof![4 => Just(true), 1 => Just(false)],
        prop_oneof![2 => Just(false), 1 => Just(true)],
    );
    proptest::collection::vec(one, 0..4).prop_map(|policies| {
        let mut ours = false;
        let all = policies.into_iter().enumerate().map(|(at, (client, rules, active, named))| {
            let rules = rules.into_iter().enumerate().map(|(n, (hook, active))| {
                let mut rule = rule(&format!("0pr{at}{n}"), &format!("rule {n}"), i64::try_from(n).unwrap(), hook);
                rule.raw["status"] = json!(if active { "ACTIVE" } else { "INACTIVE" });
                rule
            });
            let name = if named && !ours { policy_name(APP) } else { format!("policy {at}") };
            ours |= named;
            let at = i64::try_from(at).unwrap() + 1;
            let mut policy = policy(&format!("00p{at}"), &name, at, &[client], rules.collect());
            policy.raw["status"] = json!(if active { "ACTIVE" } else { "INACTIVE" });
            policy
        });
        all.collect()
    })
}

prop_compose! {
    fn tenants()(
        attributes in attributes(), hooks in hooks(), policies in policies(), typed in any::<bool>(),
        scope in any::<bool>(), claim in prop_oneof![Just(None), Just(Some(CLAIM_VALUE)), Just(Some("\"True\""))],
    ) -> Found {
        let mut found = Found { hooks, policies, ..fresh() };
        if typed {
            found.types.push(UserType::new("oty7", TYPE_NAME, false, "osc7"));
            found.attributes = attributes;
        }
        if scope {
            found.scopes.push("behalf".to_owned());
        }
        found.claims.extend(claim.map(|value| serde_json::from_value(json!({
            "id": "ocl0", "name": "can_delegate", "status": "ACTIVE", "claimType": "RESOURCE",
            "valueType": "EXPRESSION", "value": value, "conditions": {"scopes": []},
        })).unwrap()));
        found
    }
}

proptest! {
    /// A plan that was carried out leaves nothing to change, and a tenant where nothing stood in the way is complete.
    #[test]
    fn a_second_run_has_nothing_to_do(mut found in tenants(), fix in any::<bool>()) {
        let wish = Wish { fix, ..wish() };
        let first = plan(&wish, &found);
        model::carry_out(&wish, &mut found, &first, usize::MAX);
        let second = plan(&wish, &found);
        prop_assert_eq!(&second.changes, &[], "after {:#?}", first.changes);
        prop_assert_eq!(second.is_blocked(), first.is_blocked(), "{:#?} {:#?}", said(&first, Level::Error), said(&second, Level::Error));
    }

    /// A run that stops anywhere is completed by the next one, to the same end.
    #[test]
    fn a_run_that_stops_is_completed_by_the_next(start in tenants(), fix in any::<bool>(), steps in 0_usize..9) {
        let wish = Wish { fix, ..wish() };
        let whole = plan(&wish, &start);
        let mut found = start.clone();
        model::carry_out(&wish, &mut found, &whole, steps);
        let rest = plan(&wish, &found);
        prop_assert!(rest.changes.len() <= whole.changes.len().saturating_sub(steps.min(whole.changes.len())) ,
            "{:#?}\nthen {:#?}", whole.changes, rest.changes);
        model::carry_out(&wish, &mut found, &rest, usize::MAX);
        prop_assert_eq!(plan(&wish, &found).changes, []);
    }

    /// Without `fix`, what somebody else made stays byte for byte, and nothing ever goes away.
    #[test]
    fn nothing_of_others_changes(start in tenants(), fix in any::<bool>()) {
        let wish = Wish { fix, ..wish() };
        let first = plan(&wish, &start);
        let mut found = start.clone();
        model::carry_out(&wish, &mut found, &first, usize::MAX);
        for policy in start.policies.iter().filter(|policy| policy.name() != policy_name(APP)) {
            let after = found.policies.iter().find(|one| one.id() == policy.id()).unwrap();
            prop_assert_eq!(&after.rules, &policy.rules);
            prop_assert_eq!(&after.raw["conditions"], &policy.raw["conditions"]);
            prop_assert_eq!(&after.raw["status"], &policy.raw["status"]);
        }
        prop_assert!(found.hooks.len() >= start.hooks.len());
        if !fix {
            prop_assert_eq!(&found.hooks[..start.hooks.len()], &start.hooks[..]);
            prop_assert_eq!(&found.claims[..start.claims.len()], &start.claims[..]);
        }
    }

    /// At no moment of a run is there an app that got tokens before and gets none: the policy that decides has a rule.
    #[test]
    fn nobody_is_locked_out_on_the_way(start in tenants(), fix in any::<bool>()) {
        let wish = Wish { fix, ..wish() };
        let first = plan(&wish, &start);
        let served = |found: &Found| {
            let mut ordered: Vec<&Policy> = found.policies.iter().collect();
            ordered.sort_by_key(|policy| priority(&policy.raw));
            let deciding = ordered.into_iter().find(|policy| policy.active() && policy.covers(APP));
            deciding.map(|policy| policy.active_rules().next().is_some())
        };
        let before = served(&start);
        for steps in 0..=first.changes.len() {
            let mut found = start.clone();
            model::carry_out(&wish, &mut found, &first, steps);
            prop_assert!(before != Some(true) || served(&found) == Some(true), "{steps} of {:#?}", first.changes);
        }
    }
}
