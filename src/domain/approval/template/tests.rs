use serde_json::json;

use super::*;

fn approvers(names: &[&str]) -> BTreeSet<Approver> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn signed() -> Template {
    Template::new(Kind::SignAndApprove, approvers(&["group:00g1", "user:00u1"]))
}

#[test]
fn an_approver_is_a_user_or_a_group_in_one_spelling() {
    for text in ["user:00u1", "group:00g1", "user:a:b"] {
        let approver: Approver = text.parse().unwrap();
        assert_eq!(approver.to_string(), text);
        assert_eq!(serde_json::to_value(&approver).unwrap(), json!(text));
    }
    for bad in ["", "00u1", "User:00u1", " user:00u1", "users:00u1"] {
        assert_eq!(bad.parse::<Approver>(), Err(ApproverError::Form), "{bad}");
    }
    assert_eq!("user:".parse::<Approver>(), Err(ApproverError::Id(IdError::Empty)));
    assert_eq!("group:a\u{202e}b".parse::<Approver>(), Err(ApproverError::Id(IdError::Forbidden)));
}

#[test]
fn the_stored_form_round_trips() {
    let template = signed();
    let stored = serde_json::to_value(&template).unwrap();
    let expected = json!({
        "type": "sign_and_approve", "signatures": ["typed", "jws"], "approvers": ["user:00u1", "group:00g1"],
        "quorum": 1, "decide_within_s": 3600, "use_within_s": 900, "valid_for_s": 3600, "max_uses": 1,
        "reason": "optional", "ticket": "optional", "delegator_may_approve": false,
    });
    assert_eq!(stored, expected);
    assert_eq!(serde_json::from_value::<Template>(stored).unwrap(), template);
}

/// Known from outside: `printf '%s' '<the canonical text>' | sha256sum`.
#[test]
fn the_digest_is_that_of_the_canonical_text() {
    let template = Template::new(Kind::Approve, approvers(&["user:00u1"]));
    let text = r#"{"approvers":["user:00u1"],"decide_within_s":3600,"delegator_may_approve":false,"max_uses":1,"quorum":1,"reason":"optional","signatures":[],"ticket":"optional","type":"approve","use_within_s":900,"valid_for_s":3600}"#;
    assert_eq!(canonical(&template).unwrap(), text);
    assert_eq!(
        template.digest().to_string(),
        "sha256:a1efc0bd1ec2849f1f11e2e02f820dc29743cad634d547b9d2feab86e7bff290"
    );
}

#[test]
fn whatever_changes_changes_the_digest() {
    let changes: [fn(&mut Template); 11] = [
        |t| t.kind = Kind::Approve,
        |t| t.signatures = BTreeSet::from([SignatureLevel::Jws]),
        |t| t.approvers = approvers(&["group:00g1"]),
        |t| t.quorum = 2,
        |t| t.decide_within = SignedDuration::from_secs(1),
        |t| t.use_within = SignedDuration::from_secs(1),
        |t| t.valid_for = SignedDuration::from_secs(1),
        |t| t.max_uses = 2,
        |t| t.reason = Demand::Required,
        |t| t.ticket = Demand::Required,
        |t| t.delegator_may_approve = true,
    ];
    let mut seen = BTreeSet::from([signed().digest()]);
    for change in changes {
        let mut template = signed();
        change(&mut template);
        assert!(seen.insert(template.digest()), "{template:?}");
    }
}

type Change<'a> = &'a dyn Fn(&mut Template);

#[test]
fn every_flaw_of_the_shape_is_found() {
    let long = SignedDuration::from_hours(24) + SignedDuration::from_secs(1);
    let many: Vec<String> = (0..9).map(|n| format!("user:{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let cases: [(Change<'_>, Flaw); 14] = [
        (&|t| t.approvers.clear(), Flaw::NoApprovers),
        (&|t| t.approvers = approvers(&many), Flaw::TooManyApprovers),
        (&|t| t.quorum = 0, Flaw::Quorum),
        (&|t| t.quorum = 17, Flaw::Quorum),
        (&|t| (t.approvers, t.quorum) = (approvers(&["user:a", "user:b"]), 3), Flaw::QuorumOutOfReach),
        (&|t| t.signatures.clear(), Flaw::NoSignature),
        (&|t| t.kind = Kind::Approve, Flaw::NeedlessSignatures),
        (&|t| t.decide_within = SignedDuration::ZERO, Flaw::DecideWithin),
        (&|t| t.decide_within = long, Flaw::DecideWithin),
        (&|t| t.use_within = -SignedDuration::from_secs(1), Flaw::UseWithin),
        (&|t| t.valid_for = SignedDuration::MAX, Flaw::ValidFor),
        (&|t| t.valid_for = SignedDuration::ZERO, Flaw::ValidFor),
        (&|t| t.max_uses = 0, Flaw::MaxUses),
        (&|t| t.max_uses = 1001, Flaw::MaxUses),
    ];
    for (change, flaw) in cases {
        let mut template = signed();
        change(&mut template);
        assert_eq!(template.flaws(), [flaw], "{template:?}");
    }
}

#[test]
fn the_bounds_themselves_are_good() {
    assert_eq!(signed().flaws(), []);
    let named = Template { quorum: 2, ..Template::new(Kind::Approve, approvers(&["user:a", "user:b"])) };
    assert_eq!(named.flaws(), []);
    // A group may have any number of members: only the directory knows.
    assert_eq!(Template { quorum: 16, ..signed() }.flaws(), []);
    let day = SignedDuration::from_hours(24);
    let long = Template { decide_within: day, use_within: day, valid_for: day, max_uses: 1000, ..signed() };
    assert_eq!(long.flaws(), []);
}
