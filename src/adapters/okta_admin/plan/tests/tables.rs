//! One difference at a time.

use super::*;

fn changes(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(ToString::to_string).collect()
}

/// A tenant that has everything.
fn complete() -> Found {
    let (mut found, wish) = (fresh(), wish());
    let first = plan(&wish, &found);
    model::carry_out(&wish, &mut found, &first, usize::MAX);
    found
}

#[test]
fn a_fresh_tenant_gets_everything_in_an_order_that_locks_nobody_out() {
    let plan = plan(&wish(), &fresh());
    let changes = changes(&plan);
    let beginnings = [
        "make the user type `delegatableUser`",
        "add the attribute `delegatedAgents` to that type",
        "make the scope `behalf`",
        "make the claim `can_delegate`",
        "make the inline hook `behalf`: https://behalf.example.com/hooks/okta, secret in the header `authorization`",
        "make the access policy `behalf 0oaapp` for the app 0oaapp, behind all others",
        "add the rule `Default Rule` to the policy of 0oaapp",
        "put the access policy `behalf 0oaapp` first",
    ];
    assert_eq!(changes.len(), beginnings.len(), "{changes:#?}");
    for (change, beginning) in changes.iter().zip(beginnings) {
        assert!(change.starts_with(beginning), "{change}");
    }
    assert!(!plan.is_blocked() && !plan.is_complete());
}

#[test]
fn a_complete_tenant_needs_nothing() {
    let plan = plan(&wish(), &complete());
    assert!(plan.is_complete(), "{plan:#?}");
    assert_eq!(said(&plan, Level::Warning), Vec::<&str>::new());
}

#[test]
fn the_new_policy_lets_the_same_people_have_the_same_tokens() {
    let found = complete();
    let (before, after) = (&fresh().policies[0].rules[0], found.policies.iter().find(|p| p.name() == policy_name(APP)));
    let after = &after.unwrap().rules[0];
    assert_eq!(before.raw["conditions"], after.raw["conditions"]);
    assert_eq!(after.raw["actions"]["token"]["accessTokenLifetimeMinutes"], 15);
    assert_eq!(after.hook(), Some("calnew"));
    let untouched = found.policies.iter().find(|policy| policy.id() == "00p0").unwrap();
    assert_eq!(untouched.rules, fresh().policies[0].rules, "somebody else's rule");
}

#[test]
fn a_rule_that_somebody_gave_the_hook_is_enough() {
    let mut found = complete();
    found.policies = vec![policy(
        "00p0",
        "Mine",
        1,
        &[APP],
        vec![rule("0pr0", "with", 1, Some("calnew")), rule("0pr1", "without", 2, None)],
    )];
    let plan = plan(&wish(), &found);
    assert!(plan.is_complete(), "{plan:#?}");
    assert!(said(&plan, Level::Warning)[0].contains("without"), "{plan:#?}");
}

/// A change of the complete tenant, what is then said as an error (or changed at once), and what `fix` does.
type Row = (&'static str, fn(&mut Found), &'static str, &'static [&'static str]);

const DIFFERENCES: &[Row] = &[
    ("claim", |f| f.claims[0].value = Some("\"True\"".to_owned()), "claim `can_delegate`", &["replace the claim"]),
    ("claim off", |f| f.claims[0].status = "INACTIVE".to_owned(), "claim `can_delegate`", &["replace the claim"]),
    ("hook off", |f| f.hooks[0].status = "INACTIVE".to_owned(), "is switched off", &["activate the inline hook"]),
    (
        "header",
        |f| f.hooks[0].channel.config.auth.as_mut().unwrap().key = "x-key".to_owned(),
        "in the header `x-key`",
        &["write the inline hook"],
    ),
    ("no auth", |f| f.hooks[0].channel.config.auth = None, "sends no secret", &["write the inline hook"]),
    (
        "address",
        |f| f.hooks[0].channel.config.uri = "https://old.example.com/".to_owned(),
        "calls https://old",
        &["write the inline hook `behalf` (calnew): https://behalf.example.com/hooks/okta"],
    ),
    ("two hooks", |f| f.hooks.push(f.hooks[0].clone()), "several inline hooks", &[]),
    ("oauth", |f| f.hooks[0].channel.kind = "OAUTH".to_owned(), "sends an OAuth token", &[]),
    (
        "policy off",
        |f| f.policies[1].raw["status"] = json!("INACTIVE"),
        "is switched off",
        &["activate the access policy", "put the access policy"],
    ),
    (
        "another hook",
        |f| f.policies[1].rules[0].raw["actions"]["token"]["inlineHook"]["id"] = json!("calother"),
        "calls another hook (calother)",
        &["let the rule `Default Rule` call the hook"],
    ),
    ("string attribute", |f| f.attributes.get_mut(ATTRIBUTE).unwrap()["type"] = json!("string"), "type `string`", &[]),
    (
        "numbers",
        |f| f.attributes.get_mut(ATTRIBUTE).unwrap()["items"]["type"] = json!("integer"),
        "list of `integer`",
        &[],
    ),
    ("few values", |f| f.attributes.get_mut(ATTRIBUTE).unwrap()["items"]["enum"] = json!(["a"]), "certain values", &[]),
    (
        "case",
        |f| {
            let attribute = f.attributes.remove(ATTRIBUTE).unwrap();
            f.attributes.insert("delegatedagents".to_owned(), attribute);
        },
        "only in case",
        &[],
    ),
];

#[test]
fn what_differs_is_left_and_said_and_changed_only_on_demand() {
    for (name, difference, error, fixes) in DIFFERENCES {
        let mut found = complete();
        difference(&mut found);
        let without = plan(&wish(), &found);
        assert_eq!(without.changes, [], "{name}");
        let errors = said(&without, Level::Error);
        assert!(errors.iter().any(|said| said.contains(error)), "{name}: {without:#?}");

        let fixing = Wish { fix: true, ..wish() };
        let with = plan(&fixing, &found);
        let changes = changes(&with);
        assert_eq!(changes.len(), fixes.len(), "{name}: {with:#?}");
        for (change, beginning) in changes.iter().zip(*fixes) {
            assert!(change.starts_with(beginning), "{name}: {change}");
        }
        assert_eq!(with.is_blocked(), fixes.is_empty(), "{name}: {with:#?}");
        model::carry_out(&fixing, &mut found, &with, usize::MAX);
        let after = plan(&wish(), &found);
        assert_eq!(after.is_complete(), !fixes.is_empty(), "{name}: {after:#?}");
    }
}

#[test]
fn an_attribute_that_its_owner_may_write_is_protected_at_once() {
    let own = |action: Value| json!([{"principal": "SELF", "action": action}]);
    let open = [own(json!("READ_WRITE")), own(json!("WRITE")), own(json!(7)), json!([]), Value::Null, json!("odd")];
    for permissions in open {
        let mut found = complete();
        found.attributes.get_mut(ATTRIBUTE).unwrap()["permissions"] = permissions.clone();
        let plan = plan(&wish(), &found);
        assert_eq!(changes(&plan), ["make `delegatedAgents` of schema osc1 read-only for its owner"], "{permissions}");
    }
    for action in ["READ_ONLY", "HIDE"] {
        let mut found = complete();
        found.attributes.get_mut(ATTRIBUTE).unwrap()["permissions"] = own(json!(action));
        assert!(plan(&wish(), &found).is_complete(), "{action}");
    }
}

#[test]
fn protection_keeps_all_else_of_the_attribute() {
    let mut found = complete();
    let attribute = found.attributes.get_mut(ATTRIBUTE).unwrap();
    attribute["title"] = json!("Our title");
    attribute["permissions"] =
        json!([{"principal": "OTHER", "action": "X"}, {"principal": "SELF", "action": "READ_WRITE"}]);
    let first = plan(&wish(), &found);
    model::carry_out(&wish(), &mut found, &first, usize::MAX);
    assert_eq!(found.attributes[ATTRIBUTE]["title"], "Our title");
    let permissions = json!([{"principal": "OTHER", "action": "X"}, {"principal": "SELF", "action": "READ_ONLY"}]);
    assert_eq!(found.attributes[ATTRIBUTE]["permissions"], permissions);
}

#[test]
fn the_secret_of_a_hook_that_is_there_is_never_taken_for_known() {
    let mut unknown = wish();
    unknown.hook.secret = SecretState::None;
    let plan_without = plan(&unknown, &complete());
    assert!(said(&plan_without, Level::Error)[0].contains("Okta never tells"), "{plan_without:#?}");
    unknown.hook.set_secret = true;
    let plan_with = plan(&unknown, &complete());
    assert!(changes(&plan_with)[0].starts_with("write the inline hook"), "{plan_with:#?}");
    assert!(!plan_with.is_blocked());
}

#[test]
fn a_hook_of_okta_managed_access_is_taken_as_it_is() {
    let mut found = complete();
    found.hooks[0] =
        token_hook("calnew", "enrich", "https://behalf.example.com/tokenEnrichment/agent", "Authorization");
    assert!(plan(&wish(), &found).is_complete());
    let mut other_host = complete();
    other_host.hooks[0] = token_hook("calnew", "enrich", "https://evil.example.com/hooks/okta", "authorization");
    assert!(changes(&plan(&wish(), &other_host))[0].starts_with("make the inline hook"));
}

#[test]
fn a_hook_with_an_oauth_token_is_taken_where_the_service_takes_one() {
    let mut found = complete();
    found.hooks[0].channel.kind = "OAUTH".to_owned();
    found.hooks[0].channel.config.auth = None;
    let mut bearer = wish();
    bearer.hook.bearer = true;
    assert!(plan(&bearer, &found).is_complete());
}

#[test]
fn types_are_named_by_id_or_are_the_default_or_too_many() {
    let named = |id: &str| Wish { delegatable: Delegatable::Type(id.to_owned()), ..wish() };
    let unknown = plan(&named("oty9"), &fresh());
    assert!(said(&unknown, Level::Error)[0].contains("no user type `oty9`; there are oty0 (user)"), "{unknown:#?}");
    assert!(changes(&unknown).iter().all(|change| !change.contains("claim")), "the claim would read nothing");
    for wish in [named("oty0"), Wish { delegatable: Delegatable::Everybody, ..wish() }] {
        let first = changes(&plan(&wish, &fresh())).remove(0);
        assert!(first.starts_with("add the attribute `delegatedAgents` to schema default"), "{first}");
    }
    let mut full = fresh();
    full.types.extend((1..10).map(|n| UserType::new(&format!("oty{n}"), &format!("t{n}"), false, &format!("osc{n}"))));
    assert!(said(&plan(&wish(), &full), Level::Error)[0].contains("allows no more"));
    full.types[4] = UserType::new("oty4", TYPE_NAME, false, "osc4");
    assert!(changes(&plan(&wish(), &full))[0].starts_with("add the attribute"));
}

#[test]
fn an_app_without_a_policy_gets_a_rule_for_everybody() {
    let mut found = fresh();
    found.policies = vec![policy("00p0", "Others", 1, &["0oaother"], vec![rule("0pr0", "r", 1, None)])];
    let plan = plan(&wish(), &found);
    let last = changes(&plan).split_off(5);
    assert_eq!(last.len(), 2, "nothing is before it: {last:#?}");
    assert!(last[1].starts_with("add the rule `behalf`"));
}

#[test]
fn without_an_app_some_policy_must_call_the_hook() {
    let nobody = Wish { clients: Vec::new(), ..wish() };
    assert!(plan(&nobody, &complete()).is_complete());
    let mut silent = complete();
    silent.policies.truncate(1);
    assert!(said(&plan(&nobody, &silent), Level::Error)[0].contains("no access policy calls the hook"));
    assert!(said(&plan(&nobody, &fresh()), Level::Warning)[0].contains("--client"));
}

#[test]
fn a_policy_that_was_put_behind_is_put_first_with_all_its_apps() {
    let mut found = complete();
    for (at, policy) in found.policies.iter_mut().enumerate() {
        policy.raw["priority"] = json!(at + 1);
    }
    found.policies[1].raw["conditions"]["clients"]["include"] = json!([APP, "0oaadded"]);
    let plan = plan(&wish(), &found);
    assert_eq!(changes(&plan), ["put the access policy `behalf 0oaapp` first, so that it decides about 0oaapp"]);
    model::carry_out(&wish(), &mut found, &plan, usize::MAX);
    assert_eq!(found.policies[1].raw["conditions"]["clients"]["include"], json!([APP, "0oaadded"]));
}

#[test]
fn a_server_of_another_issuer_or_audience_is_told() {
    let mut found = complete();
    found.server.issuer = "https://login.example.com/oauth2/default".to_owned();
    found.server.audiences = vec!["api://other".to_owned()];
    found.server.status = "INACTIVE".to_owned();
    let plan = plan(&wish(), &found);
    let warnings = said(&plan, Level::Warning);
    assert_eq!(warnings.len(), 3, "{plan:#?}");
    assert!(warnings[0].contains("BEHALF_ISSUER") && warnings[1].contains("api://other"));
}

#[test]
fn a_change_that_misses_what_comes_before_it_is_no_request() {
    let targets = model::targets(None);
    assert!(Change::MakeAttribute(Target::Made).call(&targets).is_err());
    let plan = plan(&wish(), &fresh());
    let hook = plan.changes.iter().find(|change| matches!(change, Change::MakeHook(_))).unwrap();
    assert!(hook.call(&targets).is_err(), "no hook is made without a secret");
}
