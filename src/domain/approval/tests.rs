//! Every row of the table of transitions, under its name; `model` plays them in random orders.

mod model;
mod people;

use super::{
    template::{Approver, Kind, SignatureLevel},
    *,
};
use crate::domain::{
    ids::{GroupId, UserId},
    reason::Reason,
    user::Status,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

fn uid(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn party(name: &str) -> Party {
    Party { id: uid(name), login: format!("{name}@example.test").try_into().unwrap() }
}

fn user(name: &str) -> crate::domain::user::User {
    let Party { id, login } = party(name);
    crate::domain::user::User { id, login, status: Status::Active, user_type: None, profile: [].into() }
}

fn named(names: &[&str]) -> BTreeSet<Approver> {
    names.iter().map(|name| Approver::User(uid(name))).collect()
}

/// Ada, Ben and Cleo may decide; two of them must say yes.
fn template() -> Template {
    Template { quorum: 2, ..Template::new(Kind::Approve, named(&["ada", "ben", "cleo", "ann", "bob"])) }
}

fn asked_of(template: Template) -> Approval {
    let asked = Asked {
        requester: party("ann"),
        delegator: party("bob"),
        client: ClientId::parse("app").unwrap(),
        issuer: Issuer::parse("https://issuer.test").unwrap(),
        scopes: ["read".to_owned(), "write".to_owned()].into(),
        reason: Some("invoices".to_owned()),
        ticket: None,
        application: None,
    };
    let opening = Opening {
        id: ApprovalId::mint(at(0), [1; 16]),
        asked,
        rule: "directors".to_owned(),
        template,
        binding: r#"{"v":1}"#.to_owned(),
        epoch: 3,
    };
    Approval::open(opening, at(0))
}

fn asked() -> Approval {
    asked_of(template())
}

fn ballot(choice: Choice) -> Ballot {
    Ballot { choice, version: 1, comment: None, signed: None }
}

fn vote(approval: Approval, name: &str, choice: Choice, now: Timestamp) -> Result<Approval, Refusal> {
    let (user, groups, caller) = (user(name), BTreeSet::new(), uid(name));
    approval.vote(&Voter { caller: &caller, user: &user, groups: &groups, is_shared: false }, ballot(choice), now)
}

fn approved_of(template: Template) -> Approval {
    let quorum = usize::from(template.quorum);
    let voters = ["ada", "ben", "cleo"];
    voters
        .iter()
        .take(quorum)
        .fold(asked_of(template), |approval, name| vote(approval, name, Choice::Approve, at(1)).unwrap())
}

/// Lets `f` use a hook that fits.
fn with_use<T>(approval: &Approval, f: impl FnOnce(&Use<'_>) -> T) -> T {
    let scopes = ["read".to_owned()].into();
    let asked = &approval.asked;
    f(&Use {
        rule: &approval.rule,
        template: &approval.template,
        delegator: &asked.delegator.id,
        agent: &asked.requester.id,
        client: &asked.client,
        scopes: &scopes,
        epoch: 3,
    })
}

fn usable(approval: &Approval, now: Timestamp) -> Result<(), Reason> {
    with_use(approval, |by| approval.usable(by, now))
}

fn used(approval: &Approval, now: Timestamp) -> Result<Approval, Reason> {
    with_use(approval, |by| approval.clone().used(by, now))
}

fn cause(approval: &Approval) -> Option<Cause> {
    match &approval.state {
        State::Closed(closed) => Some(closed.cause),
        _ => None,
    }
}

#[test]
fn create_pending() {
    let new = asked();
    assert_eq!((new.state_name(at(0)), new.version, new.revision), ("PENDING", 1, 1));
    assert_eq!(new.decide_by, at(HOUR));
    assert_eq!(usable(&new, at(0)), Err(Reason::ApprovalPending));
    assert_eq!(new.remaining(at(0)), SignedDuration::ZERO);
}

#[test]
fn pending_vote_approve_waits_for_the_quorum() {
    let one = vote(asked(), "ada", Choice::Approve, at(1)).unwrap();
    assert_eq!((one.state_name(at(1)), one.votes.len(), one.revision), ("PENDING", 1, 2));
    assert_eq!(usable(&one, at(1)), Err(Reason::ApprovalPending));
    let two = vote(one, "ben", Choice::Approve, at(2)).unwrap();
    assert_eq!(two.state, State::Approved { at: at(2), use_by: at(2 + 15 * MINUTE) });
    assert_eq!(usable(&two, at(2)), Ok(()));
    assert_eq!(two.remaining(at(2)), SignedDuration::from_hours(1));
}

#[test]
fn pending_vote_deny_wins_at_once() {
    let denied =
        vote(asked(), "ada", Choice::Approve, at(1)).and_then(|a| vote(a, "ben", Choice::Deny, at(2))).unwrap();
    assert_eq!((denied.state_name(at(2)), cause(&denied)), ("DENIED", Some(Cause::Denied)));
    assert_eq!(vote(denied.clone(), "cleo", Choice::Approve, at(3)), Err(Refusal::Closed("DENIED")));
    assert_eq!(usable(&denied, at(3)), Err(Reason::ApprovalDenied));
}

#[test]
fn pending_withdraw() {
    let withdrawn = asked().withdraw(party("ann"), at(5)).unwrap();
    assert_eq!((withdrawn.state_name(at(5)), cause(&withdrawn)), ("WITHDRAWN", Some(Cause::Withdrawn)));
    assert_eq!(usable(&withdrawn, at(5)), Err(Reason::ApprovalRevoked));
    assert_eq!(approved_of(template()).withdraw(party("ann"), at(5)), Err("APPROVED"));
}

#[test]
fn pending_decide_by_expires_to_the_instant() {
    let last = asked().decide_by;
    let before = last - SignedDuration::from_millis(1);
    assert_eq!(asked().state_name(before), "PENDING");
    assert_eq!(asked().state_name(last), "EXPIRED");
    assert!(vote(asked(), "ada", Choice::Approve, before).is_ok());
    assert_eq!(vote(asked(), "ada", Choice::Approve, last), Err(Refusal::Closed("EXPIRED")));
    assert_eq!(asked().withdraw(party("ann"), last), Err("EXPIRED"));
    assert_eq!(usable(&asked(), last), Err(Reason::ApprovalExpired));
    let lapsed = asked().lapse(last).unwrap();
    assert_eq!((cause(&lapsed), lapsed.revision), (Some(Cause::DecideBy), 2));
    assert_eq!(lapsed.lapse(at(9 * HOUR)), None);
}

#[test]
fn what_a_deadline_ended_is_the_same_whenever_it_is_asked() {
    let (soon, late) = (asked().lapse(at(HOUR)), asked().lapse(at(9 * HOUR)));
    assert_eq!(soon, late);
    assert!(matches!(&soon.unwrap().state, State::Closed(closed) if closed.at == at(HOUR)));
}

#[test]
fn approved_hook_use_once_ends_it() {
    let ended = used(&approved_of(template()), at(10)).unwrap();
    assert_eq!((ended.state_name(at(10)), cause(&ended), ended.state.uses()), ("ENDED", Some(Cause::UsesExhausted), 1));
    assert_eq!(used(&ended, at(10)), Err(Reason::ApprovalSpent));
    assert_eq!(ended.remaining(at(10)), SignedDuration::ZERO);
}

#[test]
fn approved_hook_use_with_uses_left_is_active_until_grant_until() {
    let three = Template { max_uses: 3, valid_for: SignedDuration::from_mins(10), ..template() };
    let active = used(&approved_of(three), at(100)).unwrap();
    assert_eq!(active.state, State::Active { since: at(100), grant_until: at(700), uses: 1 });
    assert_eq!(active.remaining(at(400)), SignedDuration::from_secs(300));
    // `use_by` bounds the first use only.
    let again = used(&active, at(699)).unwrap();
    assert_eq!((again.state_name(at(699)), again.state.uses()), ("ACTIVE", 2));
    assert_eq!(used(&again, at(700)), Err(Reason::ApprovalExpired));
    assert_eq!((again.state_name(at(700)), cause(&again.lapse(at(700)).unwrap())), ("ENDED", Some(Cause::GrantUntil)));
    let last = used(&again, at(699)).unwrap();
    assert_eq!((cause(&last), last.state.uses()), (Some(Cause::UsesExhausted), 3));
}

#[test]
fn approved_use_by_unused_expired() {
    let approved = approved_of(template());
    let use_by = at(1 + 15 * MINUTE);
    assert_eq!(usable(&approved, use_by - SignedDuration::from_millis(1)), Ok(()));
    assert_eq!(used(&approved, use_by), Err(Reason::ApprovalExpired));
    assert_eq!(approved.state_name(use_by), "UNUSED_EXPIRED");
    assert_eq!(approved.clone().revoke(party("ann"), use_by), Err("UNUSED_EXPIRED"));
    assert_eq!(approved.remaining(use_by), SignedDuration::ZERO);
}

#[test]
fn approved_or_active_revoke() {
    let three = Template { max_uses: 3, ..template() };
    let approved = approved_of(three);
    let active = used(&approved, at(10)).unwrap();
    for open in [approved, active] {
        let uses = open.state.uses();
        let revoked = open.revoke(party("ada"), at(20)).unwrap();
        assert_eq!((revoked.state_name(at(20)), revoked.state.uses()), ("REVOKED", uses));
        assert_eq!(used(&revoked, at(20)), Err(Reason::ApprovalRevoked));
    }
    assert_eq!(asked().revoke(party("ada"), at(20)), Err("PENDING"));
}

#[test]
fn terminal_anything_names_the_state() {
    let denied = vote(asked(), "ada", Choice::Deny, at(1)).unwrap();
    let ends = [
        denied,
        asked().lapse(at(HOUR)).unwrap(),
        asked().withdraw(party("ann"), at(1)).unwrap(),
        used(&approved_of(template()), at(2)).unwrap(),
        approved_of(template()).revoke(party("ann"), at(2)).unwrap(),
        approved_of(template()).lapse(at(HOUR)).unwrap(),
    ];
    let names = ends.each_ref().map(|end| end.state_name(at(2 * HOUR)));
    assert_eq!(names, ["DENIED", "EXPIRED", "WITHDRAWN", "ENDED", "REVOKED", "UNUSED_EXPIRED"]);
    for (end, name) in ends.into_iter().zip(names) {
        let now = at(2 * HOUR);
        assert_eq!(vote(end.clone(), "cleo", Choice::Deny, now), Err(Refusal::Closed(name)));
        assert_eq!(end.clone().withdraw(party("ann"), now), Err(name));
        assert_eq!(end.clone().revoke(party("ann"), now), Err(name));
        assert_eq!(end.clone().break_glass("x".to_owned(), now), Err(name));
        assert!(used(&end, now).is_err() && end.lapse(now).is_none());
    }
}

#[test]
fn break_glass_skips_the_votes_and_nothing_else() {
    let broken = asked().break_glass("the only accountant is ill".to_owned(), at(5)).unwrap();
    assert_eq!((broken.state_name(at(5)), broken.votes.len()), ("APPROVED", 0));
    assert_eq!(usable(&broken, at(5)), Ok(()));
    assert_eq!(used(&broken, at(5 + 15 * MINUTE)), Err(Reason::ApprovalExpired));
    let spent = used(&broken, at(6)).unwrap();
    assert_eq!(used(&spent, at(6)), Err(Reason::ApprovalSpent));
}

#[test]
fn a_hook_that_shows_anything_else_is_a_mismatch() {
    let approved = approved_of(template());
    let other = Template { quorum: 1, ..template() };
    let (eve, web) = (uid("eve"), ClientId::parse("web").unwrap());
    let more = ["read".to_owned(), "admin".to_owned()].into();
    let check = |change: &dyn Fn(Use<'_>) -> Result<(), Reason>| with_use(&approved, |by| change(*by));
    let now = at(2);
    assert_eq!(check(&|by| approved.usable(&Use { rule: "renamed", ..by }, now)), Err(Reason::ApprovalMismatch));
    assert_eq!(check(&|by| approved.usable(&Use { template: &other, ..by }, now)), Err(Reason::ApprovalMismatch));
    assert_eq!(check(&|by| approved.usable(&Use { delegator: &eve, ..by }, now)), Err(Reason::ApprovalMismatch));
    assert_eq!(check(&|by| approved.usable(&Use { agent: &eve, ..by }, now)), Err(Reason::ApprovalMismatch));
    assert_eq!(check(&|by| approved.usable(&Use { client: &web, ..by }, now)), Err(Reason::ApprovalMismatch));
    assert_eq!(check(&|by| approved.usable(&Use { scopes: &more, ..by }, now)), Err(Reason::ApprovalMismatch));
    assert_eq!(check(&|by| approved.usable(&Use { epoch: 4, ..by }, now)), Err(Reason::EpochChanged));
    assert_eq!(check(&|by| approved.usable(&by, now)), Ok(()));
}

#[test]
fn a_binding_or_a_state_that_was_edited_in_the_store_is_no_decision() {
    let approved = approved_of(template());
    let edited = Approval { binding: r#"{"v":2}"#.to_owned(), ..approved.clone() };
    assert_eq!(usable(&edited, at(2)), Err(Reason::ApprovalMismatch));
    let without_votes = Approval { votes: approved.votes[..1].to_vec(), ..approved.clone() };
    assert_eq!(usable(&without_votes, at(2)), Err(Reason::ApprovalMismatch));
    let mut twice = approved;
    twice.votes[1] = twice.votes[0].clone();
    assert_eq!(usable(&twice, at(2)), Err(Reason::ApprovalMismatch));
}

fn signed(level: SignatureLevel) -> Signed {
    let nonce = signature::Nonce([0; 32]);
    let key = jwk::Jwk::P256 { x: jwk::Coordinate([1; 32]), y: jwk::Coordinate([1; 32]) };
    let (kid, text) = (key.kid(), String::new());
    match level {
        SignatureLevel::Typed => Signed::Typed {
            nonce,
            digest: Digest([0; 32]),
            name: text.clone(),
            meaning: text,
            auth_time: at(0),
            amr: Vec::new(),
        },
        SignatureLevel::Jws => Signed::Jws { nonce, kid, key, registered: at(0), payload: text.clone(), jws: text },
    }
}

#[test]
fn a_signature_is_asked_for_where_the_rule_asks_for_one() {
    let jws_only = Template {
        signatures: [SignatureLevel::Jws].into(),
        quorum: 1,
        ..Template::new(Kind::SignAndApprove, named(&["ada"]))
    };
    let (ada, groups, caller) = (user("ada"), BTreeSet::new(), uid("ada"));
    let voter = Voter { caller: &caller, user: &ada, groups: &groups, is_shared: false };
    for choice in [Choice::Approve, Choice::Deny] {
        let typed = signed(SignatureLevel::Typed);
        for (wrong, refusal) in [(None, Refusal::SignatureRequired), (Some(typed), Refusal::SignatureLevel)] {
            let ballot = Ballot { signed: wrong, ..ballot(choice) };
            assert_eq!(asked_of(jws_only.clone()).vote(&voter, ballot, at(1)), Err(refusal));
        }
    }
    let ballot = Ballot { signed: Some(signed(SignatureLevel::Jws)), ..ballot(Choice::Approve) };
    assert_eq!(asked_of(jws_only).vote(&voter, ballot, at(1)).unwrap().state_name(at(1)), "APPROVED");
}

#[test]
fn stored_form_round_trips() {
    let three = Template { max_uses: 3, ..template() };
    let approved = approved_of(three);
    let active = used(&approved, at(10)).unwrap();
    let revoked = active.clone().revoke(party("ada"), at(20)).unwrap();
    for approval in [asked(), approved, active, revoked] {
        let json = serde_json::to_string(&approval).unwrap();
        assert_eq!(serde_json::from_str::<Approval>(&json).unwrap(), approval, "{json}");
    }
    assert!(serde_json::from_str::<Approval>("{}").is_err());
}
