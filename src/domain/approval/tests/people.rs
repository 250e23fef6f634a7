//! Who may decide.

use super::*;
use crate::domain::user::User;

fn judged(approval: &Approval, caller: &str, user: &User, groups: &[&str]) -> Result<(), Ineligible> {
    let groups = groups.iter().map(|name| GroupId::parse(name).unwrap()).collect();
    approval.eligible(&Voter { caller: &uid(caller), user, groups: &groups, is_shared: false })
}

#[test]
fn the_rule_names_who_decides_by_immutable_ids() {
    let by_group = Template { approvers: [Approver::Group(GroupId::parse("00gops").unwrap())].into(), ..template() };
    let approval = asked_of(by_group);
    assert_eq!(judged(&approval, "eve", &user("eve"), &["00gops"]), Ok(()));
    assert_eq!(judged(&approval, "eve", &user("eve"), &["00gOPS"]), Err(Ineligible::NotNamed));
    assert_eq!(judged(&approval, "eve", &user("eve"), &[]), Err(Ineligible::NotNamed));
    assert_eq!(judged(&asked(), "ada", &user("ada"), &[]), Ok(()));
    // A login that reads like an approver's id names nobody.
    let alike = User { login: "ada".to_owned().try_into().unwrap(), ..user("eve") };
    assert_eq!(judged(&asked(), "eve", &alike, &[]), Err(Ineligible::NotNamed));
    let gone = User { status: Status::Inactive, ..user("ada") };
    assert_eq!(judged(&asked(), "ada", &gone, &[]), Err(Ineligible::Inactive));
}

#[test]
fn requester_equals_approver_under_alias() {
    let approval = asked();
    assert_eq!(judged(&approval, "ann", &user("ann"), &[]), Err(Ineligible::Requester));
    // The token names him by an alias; the directory's record has his id, or his login in other letters.
    let by_id = User { login: "a.smith@example.test".to_owned().try_into().unwrap(), ..user("ann") };
    assert_eq!(judged(&approval, "alias", &by_id, &[]), Err(Ineligible::Requester));
    let by_login = User { id: uid("ada"), login: "ANN@example.test".to_owned().try_into().unwrap(), ..user("ada") };
    assert_eq!(judged(&approval, "ada", &by_login, &[]), Err(Ineligible::Requester));
    assert_eq!(judged(&approval, "Ann@Example.test", &user("ada"), &[]), Err(Ineligible::Requester));
    assert_eq!(judged(&approval, "ann", &user("ada"), &[]), Err(Ineligible::Requester));
}

#[test]
fn nobody_knows_who_speaks_through_a_shared_account() {
    let (caller, ada, groups) = (uid("ada"), user("ada"), BTreeSet::new());
    let voter = |is_shared| Voter { caller: &caller, user: &ada, groups: &groups, is_shared };
    assert_eq!(asked().eligible(&voter(false)), Ok(()));
    assert_eq!(asked().eligible(&voter(true)), Err(Ineligible::Shared));
}

#[test]
fn the_delegator_decides_only_where_the_rule_says_so() {
    assert_eq!(judged(&asked(), "bob", &user("bob"), &[]), Err(Ineligible::Delegator));
    let allowed = Template { delegator_may_approve: true, ..template() };
    assert_eq!(judged(&asked_of(allowed.clone()), "bob", &user("bob"), &[]), Ok(()));
    // To be allowed is not to be named.
    let unnamed = Template { approvers: named(&["ada", "ben"]), ..allowed };
    assert_eq!(judged(&asked_of(unnamed), "bob", &user("bob"), &[]), Err(Ineligible::NotNamed));
}

#[test]
fn one_person_counts_once_under_any_name() {
    let one = vote(asked(), "ada", Choice::Approve, at(1)).unwrap();
    assert_eq!(vote(one.clone(), "ada", Choice::Approve, at(2)), Err(Refusal::AlreadyVoted));
    assert_eq!(vote(one.clone(), "ada", Choice::Deny, at(2)), Err(Refusal::AlreadyVoted));
    let (second, caller) = (User { login: party("ada").login, ..user("ben") }, uid("ben"));
    let voter = Voter { caller: &caller, user: &second, groups: &BTreeSet::new(), is_shared: false };
    assert_eq!(one.vote(&voter, ballot(Choice::Approve), at(2)), Err(Refusal::AlreadyVoted));
}

#[test]
fn a_vote_names_the_version_that_was_seen() {
    let (ada, caller) = (user("ada"), uid("ada"));
    let voter = Voter { caller: &caller, user: &ada, groups: &BTreeSet::new(), is_shared: false };
    for version in [0, 2, u32::MAX] {
        let wrong = Ballot { version, ..ballot(Choice::Approve) };
        assert_eq!(asked().vote(&voter, wrong, at(1)), Err(Refusal::VersionChanged));
    }
}
