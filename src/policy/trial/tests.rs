use std::collections::BTreeSet;

use super::*;
use crate::domain::{
    approval::template::{Kind, Template},
    ids::Login,
    reason::Reason,
    rule::Rule,
};
use crate::policy::dry::Decision;

fn person(name: &str) -> Person {
    let party = Party { id: UserId::parse(name).unwrap(), login: Login::parse(name).unwrap() };
    Person { party, groups: BTreeSet::new(), active: true, locked: false }
}

fn case() -> Case {
    Case {
        agent: person("ann"),
        delegator: person("bob"),
        client: ClientId::parse("app").unwrap(),
        scopes: ["a".to_owned()].into(),
        granted: true,
        at: At::Hook,
        approval: Approved::None,
        reservation: Reserved::None,
    }
}

fn policy(approval: bool, reservation: bool) -> TenantPolicy {
    let template = Template::new(Kind::Approve, ["group:g".parse().unwrap()].into());
    let rule = Rule { approval: approval.then_some(template), reservation, ..Rule::default() };
    TenantPolicy { rules: vec![rule], delegatable_type: None }
}

async fn decided(policy: &TenantPolicy, case: Case) -> Decision {
    run(policy, case).await.decision
}

#[tokio::test]
async fn people_grant_and_locks_are_as_the_case_says() {
    type Change = fn(&mut Case);
    let changes: [(Change, Option<Reason>); 7] = [
        (|_| {}, None),
        (|case| case.granted = false, Some(Reason::GrantGone)),
        (|case| case.agent.active = false, Some(Reason::AgentInactive)),
        (|case| case.delegator.active = false, Some(Reason::DelegatorInactive)),
        (|case| case.agent.locked = true, Some(Reason::Locked)),
        (|case| case.delegator.locked = true, Some(Reason::Locked)),
        (|case| case.agent = case.delegator.clone(), Some(Reason::SelfDelegation)),
    ];
    for (change, reason) in changes {
        let mut case = case();
        change(&mut case);
        assert_eq!(decided(&policy(false, false), case).await.reason(), reason);
    }
}

#[tokio::test]
async fn an_approval_counts_as_its_state_is() {
    for (approval, decision) in [
        (Approved::None, Decision::Refused(Reason::StageMissing)),
        (Approved::Pending, Decision::Refused(Reason::ApprovalPending)),
        (Approved::Approved, Decision::Granted),
        (Approved::Denied, Decision::Refused(Reason::ApprovalDenied)),
        (Approved::Expired, Decision::Refused(Reason::ApprovalExpired)),
        (Approved::Withdrawn, Decision::Refused(Reason::ApprovalRevoked)),
        (Approved::Revoked, Decision::Refused(Reason::ApprovalRevoked)),
        (Approved::Spent, Decision::Refused(Reason::ApprovalSpent)),
    ] {
        assert_eq!(decided(&policy(true, false), Case { approval, ..case() }).await, decision, "{approval:?}");
        assert_eq!(decided(&policy(false, false), Case { approval, ..case() }).await, Decision::Granted);
    }
    for approval in [Approved::None, Approved::Pending] {
        let early = Case { approval, at: At::Initiation, ..case() };
        assert_eq!(decided(&policy(true, false), early).await, Decision::Prepares, "{approval:?}");
    }
}

#[tokio::test]
async fn a_reservation_counts_as_its_state_is() {
    for (reservation, decision) in [
        (Reserved::None, Decision::Refused(Reason::StageMissing)),
        (Reserved::Held, Decision::Granted),
        (Reserved::Gone, Decision::Refused(Reason::ReservationGone)),
        (Reserved::NotAMember, Decision::Refused(Reason::NotAMember)),
    ] {
        let case = Case { reservation, approval: Approved::Approved, ..case() };
        assert_eq!(decided(&policy(false, true), case.clone()).await, decision, "{reservation:?}");
        assert_eq!(decided(&policy(true, true), case).await, decision, "{reservation:?}");
    }
    let both = Case { reservation: Reserved::Held, ..case() };
    assert_eq!(decided(&policy(true, true), both).await, Decision::Refused(Reason::StageMissing));
}
