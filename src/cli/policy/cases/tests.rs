use super::*;

const WHOLE: &str = "
tenant: acme
cases:
  - name: whole
    agent: ann
    delegator: bob
    client: payments
    scopes: [b, a]
    at: initiation
    groups: { agent: [x], delegator: [y, z] }
    state: { granted: false, active: { agent: false }, locked: { delegator: true }, approval: spent, reservation: not_a_member }
    expect: { decision: prepare, rule: directors, stages: [approval] }
  - { name: least, agent: ann, delegator: bob, client: web, expect: { decision: grant-gone } }
  - { name: no rule, agent: ann, delegator: bob, client: web, expect: { decision: granted, rule: null, stages: [] } }
";

#[test]
fn a_whole_case_is_read_and_the_rest_has_its_defaults() {
    let Cases { tenant, cases } = parse(WHOLE).unwrap();
    assert_eq!(tenant.as_ref().map(TenantName::as_str), Some("acme"));
    let [whole, least, no_rule] = cases.try_into().unwrap();
    let (agent, delegator) = (&whole.case.agent, &whole.case.delegator);
    assert_eq!((agent.active, agent.locked, delegator.active, delegator.locked), (false, false, true, true));
    assert_eq!((agent.groups.len(), delegator.groups.len()), (1, 2));
    assert_eq!((whole.case.granted, whole.case.at), (false, At::Initiation));
    assert_eq!((whole.case.approval, whole.case.reservation), (Approved::Spent, Reserved::NotAMember));
    assert_eq!((least.case.approval, least.case.reservation), (Approved::None, Reserved::None));
    assert_eq!(whole.case.scopes.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b"]);
    let expected =
        Expected { decision: "prepare", rule: Which::Named("directors".to_owned()), stages: Some(vec!["approval"]) };
    assert_eq!(whole.expected, expected);
    assert_eq!((least.case.granted, least.case.at, least.case.agent.active), (true, At::Hook, true));
    assert_eq!(least.expected, Expected { decision: "grant-gone", rule: Which::Any, stages: None });
    assert_eq!(no_rule.expected, Expected { decision: "granted", rule: Which::None, stages: Some(Vec::new()) });
}

#[test]
fn every_mistake_has_its_line() {
    let case = |fields: &str| format!("  - {{ name: x, agent: ann, delegator: bob, client: web, {fields} }}\n");
    for (fields, what) in [
        ("expect: { decision: grant }", "`grant` is no decision"),
        ("expect: { decision: granted, stages: [aproval] }", "`aproval` is no stage"),
        ("expect: { decision: granted, rul: x }", "unknown field `rul`"),
        ("expect: { decision: granted }, stat: {}", "unknown field `stat`"),
        ("expect: { decision: granted }, state: { grant: true }", "unknown field `grant`"),
        ("expect: { decision: granted }, state: { locked: true }", "invalid type"),
        ("expect: { decision: granted }, state: { approval: yes_please }", "unknown variant `yes_please`"),
        ("expect: { decision: granted }, groups: { agent: [\"\"] }", "must not be empty"),
        ("expect: { decision: granted }, at: noon", "unknown variant `noon`"),
        ("at: hook", "missing field `expect`"),
    ] {
        let mistakes = parse(&format!("cases:\n{}", case(fields))).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{fields}: {mistakes:?}");
        assert!(mistakes[0].starts_with("line 2: cases[0]") && mistakes[0].contains(what), "{fields}: {mistakes:?}");
    }
    let two = format!("cases:\n{}{}", case("at: hook"), case("expect: { decision: yes }"));
    let mistakes = parse(&two).unwrap_err();
    assert!(mistakes.len() == 2 && mistakes[1].starts_with("line 3: cases[1]"), "{mistakes:?}");
    let good = case("expect: { decision: granted }");
    let twice = parse(&format!("cases:\n{good}{good}")).unwrap_err();
    assert_eq!(twice, ["line 3: cases[1]: another case is called \"x\" too"]);
}

#[test]
fn what_is_no_file_of_cases_is_refused() {
    for (text, what) in [
        ("", "line 1"),
        ("tenant: x", "missing field"),
        ("cases: []", "there are no cases"),
        ("cases: 1", "line 1"),
        ("case: []", "unknown field"),
        ("cases: [\n", "line"),
        ("tenant: A B\ncases: []", "line 1"),
    ] {
        let mistakes = parse(text).unwrap_err();
        assert!(mistakes[0].contains(what), "{text:?}: {mistakes:?}");
    }
}
