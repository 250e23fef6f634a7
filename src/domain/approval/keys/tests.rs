use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;

use super::*;
use crate::domain::{
    bytes,
    ids::{GroupId, Login, UserId},
    user::{Status, User},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn jwk(n: u8) -> Jwk {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[n; 32]).unwrap();
    Jwk::parse(&json!({"kty": "OKP", "crv": "Ed25519", "x": bytes::text(pair.public_key().as_ref())})).unwrap()
}

fn party(id: &str) -> Party {
    let login = Login::parse(&format!("{id}@example.test")).unwrap();
    Party { id: UserId::parse(id).unwrap(), login }
}

fn user(id: &str) -> User {
    let Party { id, login } = party(id);
    User { id, login, status: Status::Active, user_type: None, profile: [].into() }
}

fn ring() -> KeyRing {
    KeyRing::of(party("ada"))
}

fn with(ring: KeyRing, n: u8, second: i64) -> KeyRing {
    ring.register(jwk(n), format!("key {n}"), false, at(second)).unwrap()
}

fn approvers() -> BTreeSet<Approver> {
    ["user:ben", "group:ops"].iter().map(|text| text.parse().unwrap()).collect()
}

fn decide(ring: KeyRing, user: &User, groups: &[&str], choice: Choice) -> Result<KeyRing, KeyRefusal> {
    let groups = groups.iter().map(|name| GroupId::parse(name).unwrap()).collect();
    let caller = user.id.clone();
    let voter = Voter { caller: &caller, user, groups: &groups, is_shared: false };
    ring.decide(&jwk(1).kid(), &voter, &approvers(), choice, at(5))
}

fn pending() -> KeyRing {
    ring().register(jwk(1), "key 1".to_owned(), true, at(1)).unwrap()
}

#[test]
fn a_key_signs_for_challenges_made_after_it() {
    let ring = with(ring(), 1, 10);
    let kid = jwk(1).kid().to_string();
    let none = SignedDuration::ZERO;
    assert_eq!(ring.signing_key(&kid, at(9), none), Err(Fault::KeyTooNew));
    assert_eq!(ring.signing_key(&kid, at(10), none).unwrap().kid, jwk(1).kid());
    let minute = SignedDuration::from_mins(1);
    assert_eq!(ring.signing_key(&kid, at(69), minute), Err(Fault::KeyTooNew));
    assert!(ring.signing_key(&kid, at(70), minute).is_ok());
    assert_eq!(ring.signing_key(&jwk(2).kid().to_string(), at(99), none), Err(Fault::KeyUnknown));
    assert_eq!(ring.signing_key("approver-key-1", at(99), none), Err(Fault::KeyUnknown));
    let revoked = ring.revoke(&jwk(1).kid(), at(20)).unwrap();
    assert_eq!(revoked.signing_key(&kid, at(15), none), Err(Fault::KeyNotActive));
    assert_eq!(revoked.revoke(&jwk(1).kid(), at(21)), Err(KeyRefusal::Closed("REVOKED")));
}

#[test]
fn a_key_that_must_be_approved_is_good_from_the_approval_on() {
    let kid = jwk(1).kid().to_string();
    let none = SignedDuration::ZERO;
    assert_eq!(pending().signing_key(&kid, at(99), none), Err(Fault::KeyNotActive));
    let active = decide(pending(), &user("ben"), &[], Choice::Approve).unwrap();
    assert_eq!(active.signing_key(&kid, at(4), none), Err(Fault::KeyTooNew));
    assert!(active.signing_key(&kid, at(5), none).is_ok());
    let again = decide(active, &user("ben"), &[], Choice::Deny);
    assert_eq!(again, Err(KeyRefusal::Closed("ACTIVE")));
    let denied = decide(pending(), &user("eve"), &["ops"], Choice::Deny).unwrap();
    assert_eq!(denied.signing_key(&kid, at(99), none), Err(Fault::KeyNotActive));
}

#[test]
fn nobody_approves_his_own_key() {
    let refused = Err(KeyRefusal::NotAnApprover);
    assert_eq!(decide(pending(), &user("ada"), &["ops"], Choice::Approve), refused);
    // Under another id with the owner's login.
    let alias = User { login: Login::parse("ADA@example.test").unwrap(), ..user("ben") };
    assert_eq!(decide(pending(), &alias, &[], Choice::Approve), refused);
    assert_eq!(decide(pending(), &user("eve"), &[], Choice::Approve), refused);
    let gone = User { status: Status::Inactive, ..user("ben") };
    assert_eq!(decide(pending(), &gone, &[], Choice::Approve), refused);
    let caller = UserId::parse("ben").unwrap();
    let (ben, groups) = (user("ben"), BTreeSet::new());
    let voter = Voter { caller: &caller, user: &ben, groups: &groups, is_shared: false };
    let shared = Voter { is_shared: true, ..voter };
    assert_eq!(pending().decide(&jwk(1).kid(), &shared, &approvers(), Choice::Approve, at(5)), refused);
    let other = pending().decide(&jwk(2).kid(), &voter, &approvers(), Choice::Approve, at(5));
    assert_eq!(other, Err(KeyRefusal::Unknown));
}

#[test]
fn there_are_at_most_five_and_the_oldest_dead_one_is_forgotten() {
    let five = (1..=5).fold(ring(), |ring, n| with(ring, n, 0));
    assert_eq!(five.clone().register(jwk(6), "six".to_owned(), false, at(1)), Err(KeyRefusal::TooMany));
    let pending = five.clone().revoke(&jwk(1).kid(), at(1)).unwrap();
    assert!(pending.register(jwk(6), "six".to_owned(), true, at(1)).is_ok());
    let mut ring = five;
    for n in 6..=20 {
        ring = ring.revoke(&jwk(n - 5).kid(), at(1)).unwrap();
        ring = with(ring, n, 1);
    }
    assert_eq!(ring.keys.len(), MOST_KEPT);
    ring = ring.revoke(&jwk(16).kid(), at(2)).unwrap();
    let ring = ring.register(jwk(21), "last".to_owned(), false, at(2)).unwrap();
    assert_eq!((ring.keys.len(), ring.key(&jwk(1).kid())), (MOST_KEPT, None));
}

#[test]
fn stored_form_round_trips() {
    let revoked = with(pending(), 2, 3).revoke(&jwk(2).kid(), at(4)).unwrap();
    let active = decide(revoked.clone(), &user("ben"), &[], Choice::Approve).unwrap();
    for ring in [revoked, active] {
        let text = serde_json::to_string(&ring).unwrap();
        assert_eq!(serde_json::from_str::<KeyRing>(&text).unwrap(), ring, "{text}");
    }
}
