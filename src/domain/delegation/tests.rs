use proptest::prelude::*;

use super::*;

const LIFE_MS: i64 = 60_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap()
}

fn party(id: &str) -> Party {
    Party { id: UserId::parse(id).unwrap(), login: Login::parse(id).unwrap() }
}

fn pending() -> Delegation {
    Delegation {
        binding: Binding {
            issuer: Issuer::parse("https://issuer.test").unwrap(),
            agent: party("ann"),
            client: ClientId::parse("app").unwrap(),
        },
        delegator: party("bob"),
        scopes: BTreeSet::new(),
        reason: None,
        ticket: None,
        rule: None,
        approval: None,
        reservation: None,
        trace: None,
        epoch: 1,
        created: at(0),
        expires: at(LIFE_MS),
        state: State::Pending,
    }
}

fn delivery(event: &str, body: &str) -> Fingerprint {
    Fingerprint { event_id: event.to_owned(), body: body.to_owned() }
}

fn shown(delivery: &Fingerprint) -> Shown<'_> {
    Shown { issuer: "https://issuer.test", agent: "ann", client: "app", delivery }
}

fn consumed() -> Delegation {
    pending().consume(delivery("e1", "b1"), at(1000)).unwrap()
}

#[test]
fn it_lives_until_its_last_millisecond_and_not_a_moment_longer() {
    let d = delivery("e1", "b1");
    assert_eq!(pending().matches(&shown(&d), at(LIFE_MS - 1), 1), Ok(Match::Fresh));
    assert_eq!(pending().matches(&shown(&d), at(LIFE_MS), 1), Err(Reason::Expired));
    assert_eq!(pending().matches(&shown(&d), at(LIFE_MS + 1), 1), Err(Reason::Expired));
}

#[test]
fn the_binding_is_compared_before_anything_is_told() {
    let d = delivery("e1", "b1");
    let base = shown(&d);
    let strangers = [
        (Shown { issuer: "https://other.test", ..base.clone() }, Reason::ForeignIssuer),
        (Shown { agent: "eve", ..base.clone() }, Reason::ForeignAgent),
        (Shown { agent: "Ann", ..base.clone() }, Reason::ForeignAgent),
        (Shown { client: "app2", ..base.clone() }, Reason::ForeignClient),
    ];
    for state in [pending(), consumed(), pending().cancel(at(1)).unwrap(), pending().expire(at(LIFE_MS)).unwrap()] {
        for (stranger, reason) in &strangers {
            assert_eq!(state.matches(stranger, at(10), 9), Err(*reason));
        }
    }
}

#[test]
fn the_same_delivery_gets_the_same_answer_for_sixty_seconds() {
    let (used, same) = (consumed(), delivery("e1", "b1"));
    assert_eq!(used.matches(&shown(&same), at(1000 + 59_999), 1), Ok(Match::Replay(at(1000))));
    assert_eq!(used.matches(&shown(&same), at(1000 + 60_000), 1), Err(Reason::AlreadyUsed));
}

#[test]
fn another_delivery_gets_nothing() {
    let used = consumed();
    assert_eq!(used.matches(&shown(&delivery("e1", "b2")), at(1001), 1), Err(Reason::ReplayConflict));
    assert_eq!(used.matches(&shown(&delivery("e2", "b1")), at(1001), 1), Err(Reason::AlreadyUsed));
    assert_eq!(used.matches(&shown(&delivery("", "b2")), at(1001), 1), Err(Reason::AlreadyUsed));
}

#[test]
fn a_raised_epoch_ends_pending_and_kept_answers_alike() {
    let d = delivery("e1", "b1");
    assert_eq!(pending().matches(&shown(&d), at(1), 2), Err(Reason::EpochChanged));
    assert_eq!(consumed().matches(&shown(&d), at(1001), 2), Err(Reason::EpochChanged));
}

#[test]
fn stored_form_round_trips() {
    for state in [pending(), consumed(), pending().cancel(at(1)).unwrap(), pending().expire(at(LIFE_MS)).unwrap()] {
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<Delegation>(&json).unwrap(), state);
    }
}

#[derive(Debug, Clone)]
enum Act {
    Consume,
    Cancel,
    Expire,
}

proptest! {
    #[test]
    fn it_ends_once_whatever_happens_in_whatever_order(
        acts in proptest::collection::vec(
            (prop_oneof![Just(Act::Consume), Just(Act::Cancel), Just(Act::Expire)], 0..2 * LIFE_MS), 1..20),
    ) {
        let mut acts = acts;
        acts.sort_by_key(|(_, ms)| *ms);
        let (mut delegation, mut ends) = (pending(), 0);
        for (act, ms) in acts {
            let now = at(ms);
            let was_alive = delegation.is_pending(now);
            let next = match act {
                Act::Consume => delegation.clone().consume(delivery("e", "b"), now).ok(),
                Act::Cancel => delegation.clone().cancel(now).ok(),
                Act::Expire => delegation.clone().expire(now),
            };
            let Some(next) = next else { continue };
            ends += 1;
            prop_assert_eq!(delegation.state.name(), "PENDING");
            prop_assert_eq!(was_alive, next.state.name() != "EXPIRED");
            delegation = next;
        }
        prop_assert!(ends <= 1);
    }
}
