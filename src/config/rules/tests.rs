use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::{
    config::mistakes::Recorded,
    domain::approval::template::{Demand, Kind, SignatureLevel},
};

fn read(rules: &Value) -> (Read<Vec<Rule>>, Vec<String>) {
    let mut found = Findings::default();
    let read = super::rules("tenants.x.rules", Some(rules), Some((300, 86_400)), &mut found);
    (read, found.mistakes.iter().map(ToString::to_string).collect())
}

#[test]
fn a_whole_rule_is_read() {
    let (rules, mistakes) = read(&json!([
        {
            "name": "finance directors",
            "when": {"delegator_groups": ["00g1"], "agent_groups": [], "clients": ["payments"], "scopes": ["pay"]},
            "stages": ["reservation", "approval"],
            "approval": {
                "type": "sign_and_approve", "signatures": ["jws"], "approvers": ["group:00g9", "user:00u9"], "quorum": 2,
                "decide_within": "30m", "use_within": "90s", "valid_for": "24h", "max_uses": 3, "reason": "required",
                "ticket": "optional", "delegator_may_approve": true,
            },
            "scopes_allowed": ["payments.read", "openid"],
            "max_token_lifetime": "10m",
            "allow_overrun": true,
        },
        {"name": "least", "stages": ["approval"], "approval": {"type": "approve", "approvers": ["user:00u9"]}},
        {"name": "rest", "stages": []},
    ]));
    assert_eq!(mistakes, Vec::<String>::new());
    let when = When {
        delegator_groups: [GroupId::parse("00g1").unwrap()].into(),
        clients: [ClientId::parse("payments").unwrap()].into(),
        scopes: ["pay".to_owned()].into(),
        ..When::default()
    };
    let first = Rule {
        name: "finance directors".to_owned(),
        when,
        scopes_allowed: Some(["payments.read".to_owned(), "openid".to_owned()].into()),
        max_token_lifetime: Some(600),
        allow_overrun: true,
        approval: Some(Template {
            kind: Kind::SignAndApprove,
            signatures: [SignatureLevel::Jws].into(),
            approvers: ["group:00g9", "user:00u9"].map(|name| name.parse().unwrap()).into(),
            quorum: 2,
            decide_within: SignedDuration::from_mins(30),
            use_within: SignedDuration::from_secs(90),
            valid_for: SignedDuration::from_hours(24),
            max_uses: 3,
            reason: Demand::Required,
            ticket: Demand::Optional,
            delegator_may_approve: true,
        }),
        reservation: true,
    };
    let usual = Template::new(Kind::Approve, ["user:00u9".parse().unwrap()].into());
    let least = Rule { name: "least".to_owned(), approval: Some(usual), ..Rule::default() };
    assert_eq!(rules, Ok(vec![first, least, Rule { name: "rest".to_owned(), ..Rule::default() }]));
}

#[test]
fn no_rules_are_no_mistake() {
    assert_eq!(super::rules("tenants.x.rules", None, None, &mut Findings::default()), Ok(Vec::new()));
}

/// Each case is one fault in an otherwise good rule, and what its one mistake says.
#[test]
fn every_fault_is_named_with_its_rule_and_key() {
    let approval = json!({"type": "approve", "approvers": ["group:00g1"]});
    let with = |key: &str, value: Value| {
        let mut settings = approval.clone();
        settings[key] = value;
        json!({"stages": ["approval"], "approval": settings})
    };
    let many: Vec<String> = (0..9).map(|n| format!("user:{n}")).collect();
    let signed = json!({"type": "sign_and_approve", "signatures": [], "approvers": ["group:00g1"]});
    let signed = json!({"stages": ["approval"], "approval": signed});
    let out_of_reach = json!({"type": "approve", "approvers": ["user:a", "user:b"], "quorum": 3});
    let out_of_reach = json!({"stages": ["approval"], "approval": out_of_reach});
    let cases = [
        (json!({"naem": "x"}), "key `naem`", "is unknown"),
        (json!({"when": {"groups": []}}), "(\"r\").when, key `groups`", "is unknown"),
        (json!({"when": []}), "(\"r\").when", "is not a table"),
        (json!({"when": {"clients": "web"}}), "key `clients`", "is not a list"),
        (json!({"when": {"agent_groups": [""]}}), "key `agent_groups`", "must not be empty"),
        (json!({"when": {"scopes": ["a b"]}}), "key `scopes`", "is not the name of a scope"),
        (json!({"stages": ["grant"]}), "key `stages`", "`grant` always runs"),
        (json!({"stages": ["lock"]}), "key `stages`", "`lock` always runs"),
        (json!({"stages": ["aproval"]}), "key `stages`", "`aproval` is no stage"),
        (json!({"stages": "lock"}), "key `stages`", "is not a list"),
        (json!({"stages": ["reservation", "reservation"]}), "key `stages`", "named twice"),
        (json!({"stages": ["reservation"], "reservation": {}}), "key `reservation`", "is unknown"),
        (json!({"stages": ["elevation"]}), "key `stages`", "stage `elevation` isn't built yet"),
        (json!({"elevation": {}}), "key `elevation`", "is unknown"),
        (json!({"approval": approval}), "key `approval`", "`stages` doesn't name it"),
        (json!({"scopes_allowed": []}), "key `scopes_allowed`", "allows no scope"),
        (json!({"scopes_allowed": [1]}), "key `scopes_allowed`", "not text"),
        (json!({"max_token_lifetime": 600}), "key `max_token_lifetime`", "is not text"),
        (json!({"max_token_lifetime": "10"}), "key `max_token_lifetime`", "is not a span of time"),
        (json!({"max_token_lifetime": "0s"}), "key `max_token_lifetime`", "whole seconds"),
        (json!({"allow_overrun": true}), "key `allow_overrun`", "means nothing without"),
        (json!({"allow_overrun": "yes", "max_token_lifetime": "1h"}), "key `allow_overrun`", "neither true nor false"),
        (json!({"stages": ["approval"]}), "key `approval`", "has no settings"),
        (json!({"stages": ["approval", "approval"], "approval": approval}), "key `stages`", "named twice"),
        (with("type", json!("nod")), "approval, key `type`", "`nod` is unknown"),
        (with("type", json!(1)), "approval, key `type`", "is not text"),
        (with("approvers", json!([])), "approval, key `approvers`", "names nobody"),
        (with("approvers", json!(["user:a", "user:a"])), "approval, key `approvers`", "names somebody twice"),
        (with("approvers", json!(many)), "approval, key `approvers`", "names more than 8 approvers"),
        (with("approvers", json!(["00g1"])), "approval, key `approvers`", "names no approver"),
        (with("approvers", json!(["group:"])), "approval, key `approvers`", "names no approver"),
        (with("quorum", json!(0)), "approval, key `quorum`", "doesn't fit"),
        (with("quorum", json!(17)), "approval, key `quorum`", "doesn't fit"),
        (with("quorum", json!("1")), "approval, key `quorum`", "doesn't fit"),
        (with("decide_within", json!("soon")), "approval, key `decide_within`", "is not a span of time"),
        (with("use_within", json!("1w")), "approval, key `use_within`", "is not a span of time"),
        (with("use_within", json!("0s")), "approval, key `use_within`", "is out of bounds"),
        (with("use_within", json!("-1s")), "approval, key `use_within`", "is not a span of time"),
        (with("decide_within", json!("25h")), "approval, key `decide_within`", "is out of bounds"),
        (with("valid_for", json!("2d")), "approval, key `valid_for`", "is out of bounds"),
        (with("valid_for", json!("1500ms")), "approval, key `valid_for`", "whole seconds"),
        (with("valid_for", json!("299s")), "approval, key `valid_for`", "is less than the 5m"),
        (with("valid_for", json!(5)), "approval, key `valid_for`", "is not text"),
        (with("max_uses", json!(0)), "approval, key `max_uses`", "doesn't fit"),
        (with("max_uses", json!(1001)), "approval, key `max_uses`", "doesn't fit"),
        (with("signatures", json!(["jws"])), "approval, key `signatures`", "means nothing"),
        (with("signatures", json!(["webauthn"])), "approval, key `signatures`", "`webauthn` is unknown"),
        (signed, "approval, key `signatures`", "lets no signature count"),
        (out_of_reach, "approval, key `quorum`", "more votes than there are approvers"),
        (with("reason", json!("perhaps")), "approval, key `reason`", "`perhaps` is unknown"),
        (with("ticket", json!(true)), "approval, key `ticket`", "is not text"),
        (with("delegator_may_approve", json!("no")), "approval, key `delegator_may_approve`", "neither true nor false"),
        (with("quorums", json!(1)), "approval, key `quorums`", "is unknown"),
    ];
    for (fields, place, what) in cases {
        let mistakes = mistakes_of(&fields);
        assert_eq!(mistakes.len(), 1, "{fields}: {mistakes:?}");
        assert_named(&mistakes[0], place, what);
    }
}

fn mistakes_of(fields: &Value) -> Vec<String> {
    let mut rule = json!({"name": "r"});
    for (key, value) in fields.as_object().unwrap() {
        rule[key] = value.clone();
    }
    let (rules, mistakes) = read(&json!([rule]));
    assert_eq!(rules, Err(Recorded), "{fields} is taken");
    mistakes
}

fn assert_named(mistake: &str, place: &str, what: &str) {
    assert!(mistake.starts_with("tenants.x.rules[0] (\"r\")"), "{mistake}");
    assert!(mistake.contains(place) && mistake.contains(what), "{mistake}");
}

#[test]
fn names_are_required_and_unique() {
    let (rules, mistakes) = read(&json!([{"name": "a"}, {}, {"name": "a"}, {"name": ""}, 7]));
    assert_eq!(rules, Err(Recorded));
    let expected = [
        "rules[1], key `name`: is missing",
        "rules[2]: another rule is called `a`",
        "rules[3], key `name`",
        "rules[4]: is not a table",
    ];
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:?}");
    for (mistake, expected) in mistakes.iter().zip(expected) {
        assert!(mistake.contains(expected), "{mistake}");
    }
    assert!(read(&json!({"name": "a"})).1[0].contains("is not a list of tables"));
}

#[test]
fn an_approval_that_holds_shorter_than_any_token_lives_takes_the_rules_word() {
    let short = json!({"type": "approve", "approvers": ["group:00g1"], "valid_for": "1m"});
    let rule =
        |overrun: bool| json!([{"name": "r", "stages": ["approval"], "approval": short, "allow_overrun": overrun}]);
    let (rules, mistakes) = read(&rule(true));
    assert_eq!(mistakes, Vec::<String>::new());
    assert!(rules.unwrap()[0].allow_overrun);
    let (rules, mistakes) = read(&rule(false));
    assert_eq!(rules, Err(Recorded));
    assert!(mistakes.len() == 1 && mistakes[0].contains("(\"r\").approval, key `valid_for`"), "{mistakes:?}");
    // Who can't set lifetimes has no shortest one.
    let mut found = Findings::default();
    assert!(super::rules("tenants.x.rules", Some(&rule(false)), None, &mut found).is_ok());
}
