use std::sync::Mutex;

use super::*;
use crate::{
    domain::{
        approval::template::{Kind, Template},
        delegation::Party,
        ids::{GroupId, Login, UserRef},
        rule::When,
        user::Status,
    },
    ports::directory::{DirectoryError, Members, Written},
};

fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn user(text: &str) -> User {
    User {
        id: id(text),
        login: Login::parse(&format!("{text}@example.test")).unwrap(),
        status: Status::Active,
        user_type: Some("person".to_owned()),
        profile: std::collections::BTreeMap::new(),
    }
}

fn words(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

/// Answers with what it was made of, whatever it is asked.
struct Fixed {
    delegator: Result<Option<User>, DirectoryError>,
    agent: Result<Option<User>, DirectoryError>,
    granted: Result<bool, DirectoryError>,
    groups: Result<BTreeSet<GroupId>, DirectoryError>,
    asked: Mutex<Vec<(UserId, UserId)>>,
}

impl Fixed {
    fn good() -> Self {
        Self {
            delegator: Ok(Some(user("bob"))),
            agent: Ok(Some(user("ann"))),
            granted: Ok(true),
            groups: Ok(BTreeSet::new()),
            asked: Mutex::default(),
        }
    }
}

#[async_trait]
impl Directory for Fixed {
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError> {
        if who == &UserRef::Id(id("ann")) { self.agent.clone() } else { self.delegator.clone() }
    }

    async fn groups_of(&self, _: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        self.groups.clone()
    }

    async fn members_of(&self, _: &GroupId, _: usize) -> Result<Option<Members>, DirectoryError> {
        Ok(None)
    }

    async fn is_granted(&self, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError> {
        self.asked.lock().unwrap().push((delegator.clone(), agent.clone()));
        self.granted.clone()
    }

    async fn agents_of(&self, _: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn delegators_of(&self, _: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn add_grant(&self, _: &UserId, _: &UserId) -> Result<Written, DirectoryError> {
        Ok(Written::Already)
    }

    async fn remove_grant(&self, _: &UserId, _: &UserId) -> Result<Written, DirectoryError> {
        Ok(Written::Already)
    }
}

/// Runs these stages for Ann on Bob's behalf; the token and the delegation have the given scopes.
async fn run(
    pipeline: &Pipeline,
    directory: &Fixed,
    policy: &TenantPolicy,
    locks: &[Lock],
    scopes: [&[&str]; 2],
) -> Verdict {
    let (delegator, agent, client) = (id("bob"), id("ann"), ClientId::parse("app").unwrap());
    let [scopes, bound_scopes] = scopes.map(words);
    let mut context = Context {
        policy,
        directory,
        delegator: &delegator,
        agent: &agent,
        client: &client,
        scopes: &scopes,
        bound_scopes: &bound_scopes,
        locks,
        brought: None,
        people: None,
        rule: None,
        spent: Spent::default(),
    };
    pipeline.run(&mut context).await
}

async fn judged(directory: &Fixed, policy: &TenantPolicy) -> Result<(), Reason> {
    run(&Pipeline::standard(), directory, policy, &[], [&[], &[]]).await.result.map(|_| ())
}

#[tokio::test]
async fn the_grant_stage_knows_every_way_to_say_no() {
    type Case = (fn(&mut Fixed), Reason);
    let changes: [Case; 14] = [
        (|d| d.delegator = Ok(None), Reason::DelegatorUnknown),
        (|d| d.delegator = Ok(Some(User { status: Status::Inactive, ..user("bob") })), Reason::DelegatorInactive),
        (|d| d.delegator = Ok(Some(User { user_type: None, ..user("bob") })), Reason::DelegatorNotDelegatable),
        (|d| d.delegator = Ok(Some(user("BOB"))), Reason::DirectoryMismatch),
        (|d| d.delegator = Ok(Some(user("ann"))), Reason::SelfDelegation),
        (|d| d.agent = Ok(None), Reason::AgentUnknown),
        (|d| d.agent = Ok(Some(User { status: Status::Inactive, ..user("ann") })), Reason::AgentInactive),
        (|d| d.agent = Ok(Some(user("ANN"))), Reason::DirectoryMismatch),
        (|d| d.granted = Ok(false), Reason::GrantGone),
        (|d| d.granted = Err(DirectoryError::Unavailable("x".to_owned())), Reason::DirectoryUnavailable),
        (|d| d.agent = Err(DirectoryError::Rejected("x".to_owned())), Reason::DirectoryRejected),
        (|d| d.agent = Err(DirectoryError::Throttled { until: None }), Reason::DirectoryThrottled),
        (|d| d.delegator = Err(DirectoryError::Throttled { until: None }), Reason::DirectoryThrottled),
        // Nobody needs to know of the grants of one who isn't there.
        (
            |d| (d.delegator, d.granted) = (Ok(None), Err(DirectoryError::Unavailable("x".to_owned()))),
            Reason::DelegatorUnknown,
        ),
    ];
    let policy = TenantPolicy { delegatable_type: Some("person".to_owned()), ..TenantPolicy::default() };
    assert_eq!(judged(&Fixed::good(), &policy).await, Ok(()));
    for (change, reason) in changes {
        let mut directory = Fixed::good();
        change(&mut directory);
        assert_eq!(judged(&directory, &policy).await, Err(reason));
    }
}

#[tokio::test]
async fn at_initiation_the_delegator_is_who_was_named() {
    let (policy, agent) = (TenantPolicy::default(), id("ann"));
    let named = |text: &str| UserRef::parse(text).unwrap();
    let login = |text: &str| UserRef::Login(Login::parse(text).unwrap());
    for (by, good) in [
        (named("bob"), true),
        (named("bob@example.test"), true),
        (named("BOB"), false),
        (named("BOB@example.test"), false),
        (login("bob@example.test"), true),
        (login("bob"), false),
        (UserRef::Id(id("bob")), true),
        (UserRef::Id(id("bob@example.test")), false),
    ] {
        let directory = Fixed::good();
        let said = grant::by_reference(&directory, &policy, &by, &agent).await.map(|people| people.delegator.id);
        let expected = if good { Ok(id("bob")) } else { Err(Reason::DirectoryMismatch) };
        assert_eq!(said, expected, "{by:?}");
        // The grant is asked of the id that was found, never of the text.
        assert_eq!(*directory.asked.lock().unwrap(), [(id("bob"), id("ann"))], "{by:?}");
    }
}

fn lock(user: &str) -> Lock {
    let party = Party { id: id(user), login: Login::parse(user).unwrap() };
    Lock { user: party, own: None, admin: None }
}

#[tokio::test]
async fn a_lock_covers_the_two_accounts_and_no_other() {
    for (locked, refused) in [("bob", true), ("ann", true), ("eve", false), ("BOB", false)] {
        let locks = [lock(locked)];
        let verdict = run(&Pipeline::standard(), &Fixed::good(), &TenantPolicy::default(), &locks, [&[], &[]]).await;
        assert_eq!(verdict.result.err(), refused.then_some(Reason::Locked), "{locked}");
    }
}

#[tokio::test]
async fn scopes_are_bound_from_above_by_the_delegation_and_by_the_rule() {
    let allowed = Rule { scopes_allowed: Some(words(&["a", "b"])), ..Rule::default() };
    let policy = TenantPolicy { rules: vec![allowed], ..TenantPolicy::default() };
    for (token, bound, good) in [
        (&["a"][..], &["a", "b"][..], true),
        (&[], &[], true),
        (&["a", "b"], &["a", "b"], true),
        (&["a", "b"], &["a"], false),
        (&["c"], &["c"], false),
        (&["A"], &["a"], false),
    ] {
        let verdict = run(&Pipeline::standard(), &Fixed::good(), &policy, &[], [token, bound]).await;
        assert_eq!(verdict.result.err(), (!good).then_some(Reason::ScopeNotAllowed), "{token:?} {bound:?}");
    }
}

#[tokio::test]
async fn a_stage_that_the_delegation_does_not_carry_is_missing() {
    let approvers = ["user:eve".parse().unwrap()].into();
    let approval = Rule { approval: Some(Template::new(Kind::Approve, approvers)), ..Rule::default() };
    let reservation = Rule { reservation: true, ..Rule::default() };
    for (rule, said) in
        [(approval, Some(Reason::StageMissing)), (reservation, Some(Reason::StageMissing)), (Rule::default(), None)]
    {
        let policy = TenantPolicy { rules: vec![rule], ..TenantPolicy::default() };
        let verdict = run(&Pipeline::standard(), &Fixed::good(), &policy, &[], [&["a"], &["a"]]).await;
        assert_eq!(verdict.result.err(), said);
    }
}

#[tokio::test]
async fn the_rule_is_matched_with_the_groups_of_now() {
    let when = When { delegator_groups: [GroupId::parse("board").unwrap()].into(), ..When::default() };
    let rule = Rule { when, scopes_allowed: Some(BTreeSet::new()), ..Rule::default() };
    let policy = TenantPolicy { rules: vec![rule], ..TenantPolicy::default() };
    let mut directory = Fixed::good();
    for (groups, good) in [(BTreeSet::new(), true), ([GroupId::parse("board").unwrap()].into(), false)] {
        directory.groups = Ok(groups);
        let verdict = run(&Pipeline::standard(), &directory, &policy, &[], [&["a"], &["a"]]).await;
        assert_eq!(verdict.result.is_ok(), good);
    }
    // He was there, and where his groups were asked for he wasn't.
    directory.groups = Err(DirectoryError::NoSuchUser);
    let verdict = run(&Pipeline::standard(), &directory, &policy, &[], [&["a"], &["a"]]).await;
    assert_eq!(verdict.result.err(), Some(Reason::DirectoryMismatch));
    let begun = grant::by_reference(&directory, &policy, &UserRef::Id(id("bob")), &id("ann")).await;
    assert_eq!(begun.map(|_| ()), Err(Reason::DirectoryMismatch));
    let gone = Fixed { delegator: Ok(None), groups: Err(DirectoryError::NoSuchUser), ..Fixed::good() };
    let verdict = run(&Pipeline::standard(), &gone, &policy, &[], [&["a"], &["a"]]).await;
    assert_eq!(verdict.result.err(), Some(Reason::DelegatorUnknown), "who is gone isn't contradicted");
    directory.groups = Err(DirectoryError::Throttled { until: None });
    let verdict = run(&Pipeline::standard(), &directory, &policy, &[], [&["a"], &["a"]]).await;
    assert_eq!(verdict.result.err(), Some(Reason::DirectoryThrottled), "groups that aren't known fit no rule");
    let verdict = run(&Pipeline::standard(), &directory, &TenantPolicy::default(), &[], [&["a"], &["a"]]).await;
    assert!(verdict.result.is_ok(), "what no rule names isn't asked");
}

#[tokio::test]
async fn the_first_refusal_stops_and_every_stage_that_ran_leaves_a_line() {
    let directory = Fixed::good();
    let policy = TenantPolicy::default();
    let trace = |verdict: Verdict| -> Vec<String> {
        verdict.trace.into_iter().map(|line| format!("{}:{}", line.stage, line.said)).collect()
    };
    let standard = Pipeline::standard();
    let good = run(&standard, &directory, &policy, &[], [&[], &[]]).await;
    assert_eq!(trace(good), ["grant:continue", "lock:continue", "rules:continue"]);
    let locked = run(&standard, &directory, &policy, &[lock("bob")], [&["x"], &[]]).await;
    assert_eq!(trace(locked), ["grant:continue", "lock:locked"]);
    let gone = Fixed { granted: Ok(false), ..Fixed::good() };
    let gone = run(&standard, &gone, &policy, &[lock("bob")], [&["x"], &[]]).await;
    assert_eq!(trace(gone), ["grant:grant-gone"]);
}

#[tokio::test]
async fn without_the_grant_stage_nobody_passes() {
    for stages in [vec![], vec![Arc::new(lock::LockStage) as Arc<dyn Stage>], vec![Arc::new(rules::RuleStage)]] {
        let verdict = run(&Pipeline::of(stages), &Fixed::good(), &TenantPolicy::default(), &[], [&[], &[]]).await;
        assert_eq!(verdict.result.err(), Some(Reason::Internal));
    }
}
