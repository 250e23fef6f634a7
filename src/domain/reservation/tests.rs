use proptest::prelude::*;

use super::*;
use crate::domain::ids::Login;

const HOLD_MS: i64 = 60_000;
const EPOCH: u64 = 1;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap()
}

fn party(id: &str) -> Party {
    Party { id: UserId::parse(id).unwrap(), login: Login::parse(id).unwrap() }
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn wish(holder: &str, expires: i64) -> Wish {
    let secret = Some(ReservationSecret::mint(at(0), [7; 32]).hash());
    Wish { holder: party(holder), secret, expires: at(expires) }
}

fn held_by(holder: &str) -> Slot {
    Slot::empty(party("dba")).reserve(wish(holder, HOLD_MS), EPOCH, at(0)).unwrap().slot
}

fn event(id: &str) -> Fingerprint {
    Fingerprint { event_id: id.to_owned(), body: "b".to_owned() }
}

fn state(slot: &Slot) -> &'static str {
    slot.current.as_ref().map_or("AVAILABLE", |it| it.state.name())
}

#[test]
fn it_lives_until_its_last_millisecond_and_the_account_is_free_at_the_next() {
    for (now, usable, free) in [(HOLD_MS - 1, true, false), (HOLD_MS, false, true), (HOLD_MS + 1, false, true)] {
        let slot = held_by("ann");
        let used = slot.clone().consume(slot.generation, &user("ann"), event("e"), EPOCH, at(now));
        assert_eq!(used.is_ok(), usable, "{now}");
        assert_eq!(slot.usable(&user("ann"), EPOCH, at(now)).is_ok(), usable, "{now}");
        let next = slot.reserve(wish("eve", now + HOLD_MS), EPOCH, at(now));
        assert_eq!(next.is_ok(), free, "{now}");
    }
}

#[test]
fn who_takes_the_place_of_one_that_ran_out_ends_it() {
    let made = held_by("ann").reserve(wish("eve", 3 * HOLD_MS), EPOCH, at(HOLD_MS)).unwrap();
    let ended = made.ended.unwrap();
    assert_eq!((ended.holder, ended.state.name()), (party("ann"), "EXPIRED"));
    assert!(made.slot.usable(&user("eve"), EPOCH, at(HOLD_MS)).is_ok());
}

#[test]
fn one_of_another_epoch_is_void() {
    let slot = held_by("ann");
    assert_eq!(slot.usable(&user("ann"), 2, at(1)), Err(Reason::EpochChanged));
    let used = slot.clone().consume(slot.generation, &user("ann"), event("e"), 2, at(1));
    assert_eq!(used, Err(Reason::EpochChanged));
    let lapsed = slot.lapse(2, at(1)).unwrap().current.unwrap();
    assert_eq!(lapsed.state, State::Invalidated { at: at(1), why: Reason::EpochChanged });
    assert!(slot.reserve(wish("eve", HOLD_MS), 2, at(1)).is_ok());
}

#[test]
fn only_the_holder_uses_and_releases_it() {
    let slot = held_by("ann");
    let (generation, eve) = (slot.generation, user("eve"));
    assert_eq!(slot.clone().consume(generation, &eve, event("e"), EPOCH, at(1)), Err(Reason::Reserved));
    assert_eq!(slot.clone().release(generation, &eve, EPOCH, at(1)), Err(Reason::Reserved));
    let used = slot.consume(generation, &user("ann"), event("e"), EPOCH, at(1)).unwrap();
    assert_eq!(used.usable(&user("ann"), EPOCH, at(2)), Err(Reason::ReservationGone));
    assert_eq!(used.usable(&eve, EPOCH, at(2)), Err(Reason::ReservationMissing));
}

/// What others got wrong: what was meant for an older check-out ends the present one.
#[test]
fn aba_nothing_late_with_an_old_generation_ends_a_new_one() {
    let old = held_by("ann");
    let released = old.clone().release(old.generation, &user("ann"), EPOCH, at(1)).unwrap();
    let new = released.reserve(wish("ann", HOLD_MS), EPOCH, at(2)).unwrap().slot;
    let stale = old.generation;
    assert_eq!(new.clone().consume(stale, &user("ann"), event("e"), EPOCH, at(3)), Err(Reason::ReservationGone));
    assert_eq!(new.clone().release(stale, &user("ann"), EPOCH, at(3)), Err(Reason::ReservationGone));
    let forced = new.clone().force_release(stale, party("root"), "why".to_owned(), EPOCH, at(3));
    assert_eq!(forced, Err(Reason::ReservationGone));
    assert_eq!(new.clone().invalidate(stale, Reason::NotAMember, EPOCH, at(3)), Err(Reason::ReservationGone));
    // A timer that was set for the old one finds a new one that has time left.
    assert_eq!(new.lapse(EPOCH, at(HOLD_MS - 1)), None);
}

#[test]
fn a_generation_does_not_come_again_when_the_store_was_put_back() {
    let backup = held_by("ann").release(held_by("ann").generation, &user("ann"), EPOCH, at(5)).unwrap();
    let lost = backup.clone().reserve(wish("ann", HOLD_MS), EPOCH, at(10)).unwrap().slot;
    let after = backup.reserve(wish("ann", HOLD_MS), 2, at(11)).unwrap().slot;
    assert_ne!(lost.generation, after.generation);
    let twice = Slot { generation: u64::MAX - 1, ..Slot::empty(party("dba")) };
    assert_eq!(twice.reserve(wish("ann", HOLD_MS), EPOCH, at(0)).unwrap().slot.generation, u64::MAX);
}

#[test]
fn stored_form_round_trips() {
    let slot = held_by("ann");
    let generation = slot.generation;
    let ends = [
        slot.clone(),
        slot.clone().consume(generation, &user("ann"), event("e"), EPOCH, at(1)).unwrap(),
        slot.clone().release(generation, &user("ann"), EPOCH, at(1)).unwrap(),
        slot.clone().force_release(generation, party("root"), "why".to_owned(), EPOCH, at(1)).unwrap(),
        slot.clone().invalidate(generation, Reason::NotAMember, EPOCH, at(1)).unwrap(),
        slot.lapse(EPOCH, at(HOLD_MS)).unwrap(),
        Slot::empty(party("dba")),
    ];
    for slot in ends {
        let text = serde_json::to_string(&slot).unwrap();
        assert_eq!(serde_json::from_str::<Slot>(&text).unwrap(), slot, "{text}");
    }
    let stored = r#"{"account":{"id":"dba","login":"dba"},"generation":9,"current":{"generation":9,
        "holder":{"id":"ann","login":"ann"},"epoch":1,"created":"2026-11-21T10:00:00Z",
        "expires":"2026-11-21T10:05:00Z","state":{"is":"FORCE_RELEASED","at":"2026-11-21T10:01:00Z",
        "by":{"id":"root","login":"root"},"reason":"x"}}}"#;
    assert_eq!(state(&serde_json::from_str::<Slot>(stored).unwrap()), "FORCE_RELEASED");
}

#[test]
fn names_have_one_spelling() {
    let secret = ReservationSecret::mint(at(0), [9; 32]);
    assert_eq!(secret.expose().len(), 4 + 51);
    assert!(ReservationSecret::parse(secret.expose()).is_some_and(|again| again.hash() == secret.hash()));
    let reference = held_by("ann").reference();
    assert_eq!(ReservationRef::parse(&reference.to_string()), Some(reference));
    for bad in ["", "rvn_", "rsv_", "rvn_AAAA", &secret.expose()[1..], &format!("{reference}A")] {
        assert!(ReservationRef::parse(bad).is_none() && ReservationSecret::parse(bad).is_none(), "{bad}");
    }
}

/// What somebody tries, at a moment, with a generation that he once saw.
#[derive(Debug, Clone)]
enum Try {
    Reserve(usize, i64),
    Consume(usize, usize),
    Release(usize, usize),
    Force(usize),
    Invalidate(usize),
    Lapse,
    Restore,
}

const PEOPLE: [&str; 2] = ["ann", "eve"];

fn tries() -> impl Strategy<Value = Vec<(Try, i64)>> {
    let (who, seen) = (0..PEOPLE.len(), 0..6_usize);
    let one = prop_oneof![
        3 => (who.clone(), 1..30_i64).prop_map(|(w, ms)| Try::Reserve(w, ms)),
        3 => (who.clone(), seen.clone()).prop_map(|(w, g)| Try::Consume(w, g)),
        1 => (who, seen.clone()).prop_map(|(w, g)| Try::Release(w, g)),
        1 => seen.clone().prop_map(Try::Force),
        1 => seen.prop_map(Try::Invalidate),
        2 => Just(Try::Lapse),
        1 => Just(Try::Restore),
    ];
    proptest::collection::vec((one, 0..10_i64), 1..60)
}

/// The model: who has the account until when, written without the code's words.
#[derive(Default)]
struct Model {
    given: Vec<u64>,
    owner: Option<(usize, u64, i64)>,
    ends: std::collections::BTreeMap<u64, &'static str>,
}

impl Model {
    fn holds(&self, who: usize, generation: u64, now: i64) -> bool {
        self.owner.is_some_and(|(w, g, until)| w == who && g == generation && now < until)
    }

    fn stands(&self, generation: u64, now: i64) -> bool {
        self.owner.is_some_and(|(_, g, until)| g == generation && now < until)
    }

    fn ended(&mut self, generation: u64, how: &'static str) {
        assert_eq!(self.ends.insert(generation, how), None, "two ends of {generation}");
        self.owner = None;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_schedule_ends_each_reservation_once_and_the_model_agrees(schedule in tries()) {
        let (mut slot, mut model, mut now, mut epoch) = (Slot::empty(party("dba")), Model::default(), 0, EPOCH);
        for (attempt, wait) in schedule {
            now += wait;
            let seen = |at: &usize| model.given.iter().rev().nth(*at).copied().unwrap_or(7);
            let next = match &attempt {
                Try::Reserve(who, ms) => {
                    let made = slot.clone().reserve(wish(PEOPLE[*who], now + ms), epoch, at(now));
                    prop_assert_eq!(made.is_ok(), model.owner.is_none_or(|(_, _, until)| now >= until));
                    if let Ok(made) = made {
                        if let Some(ended) = made.ended {
                            model.ended(ended.generation, ended.state.name());
                        }
                        prop_assert!(model.given.iter().all(|before| *before < made.slot.generation));
                        model.given.push(made.slot.generation);
                        model.owner = Some((*who, made.slot.generation, now + ms));
                        slot = made.slot;
                    }
                    continue;
                }
                Try::Consume(who, generation) => {
                    let generation = seen(generation);
                    let used = slot.clone().consume(generation, &user(PEOPLE[*who]), event("e"), epoch, at(now));
                    prop_assert_eq!(used.is_ok(), model.holds(*who, generation, now));
                    used
                }
                Try::Release(who, generation) => {
                    let generation = seen(generation);
                    let done = slot.clone().release(generation, &user(PEOPLE[*who]), epoch, at(now));
                    prop_assert_eq!(done.is_ok(), model.holds(*who, generation, now));
                    done
                }
                Try::Force(generation) => {
                    let generation = seen(generation);
                    let done = slot.clone().force_release(generation, party("root"), "r".into(), epoch, at(now));
                    prop_assert_eq!(done.is_ok(), model.stands(generation, now));
                    done
                }
                Try::Invalidate(generation) => {
                    let generation = seen(generation);
                    let done = slot.clone().invalidate(generation, Reason::NotAMember, epoch, at(now));
                    prop_assert_eq!(done.is_ok(), model.stands(generation, now));
                    done
                }
                Try::Lapse => {
                    let done = slot.lapse(epoch, at(now)).ok_or(Reason::ReservationGone);
                    prop_assert_eq!(done.is_ok(), model.owner.is_some_and(|(_, _, until)| now >= until));
                    done
                }
                Try::Restore => {
                    epoch += 1;
                    if let Some((_, generation, until)) = model.owner {
                        let lapsed = slot.lapse(epoch, at(now)).unwrap();
                        let name = if now < until { "INVALIDATED" } else { "EXPIRED" };
                        prop_assert_eq!(state(&lapsed), name);
                        model.ended(generation, name);
                        slot = lapsed;
                    }
                    continue;
                }
            };
            if let Ok(next) = next {
                model.ended(next.generation, state(&next));
                slot = next;
            }
        }
    }
}
