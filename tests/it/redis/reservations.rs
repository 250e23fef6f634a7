//! One account, two processes: one holder, one use, one end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use behalf::{domain::audit::Event, ports::store::Seq};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use super::pair::{Shared, all_events, disturbed, settle};
use crate::{
    durability::{
        rig::{Caller, Told},
        setting,
    },
    reservations::world,
};

/// Each account has two users who want it.
const ACCOUNTS: usize = 8;
const AGENTS: usize = 2 * ACCOUNTS;

/// 300 in plain runs, 1,250 in those that are asked for 25 rounds.
fn schedules() -> usize {
    usize::try_from(50 * setting("BEHALF_TEST_ROUNDS").unwrap_or(5)).unwrap().max(300)
}

/// What happens while the holder logs in at the other process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Against {
    Release,
    Force,
    Login,
}

/// A schedule's end: against what, and the state that it left.
type Ended = (Against, String);

/// Both users ask for the account at once, each at his process. Who has it, and its secret and id; `None`: the machine was
/// too busy for a clear answer.
async fn contest(callers: &[Caller; 2], account: usize, nth: usize) -> Option<(usize, String, String)> {
    let answers: [_; 2] = tokio::join!(ask(callers, account, nth, 0), ask(callers, account, nth, 1)).into();
    let mut won = Vec::new();
    for (user, answer) in answers.into_iter().enumerate() {
        let (status, body) = answer?;
        match (status.as_u16(), body["code"].as_str()) {
            (201, _) => won.push((2 * account + user, text(&body, "secret"), text(&body, "id"))),
            (409, Some("reserved")) => {}
            (503, _) => return None,
            other => panic!("{nth}: {other:?} {body}"),
        }
    }
    assert!(won.len() == 1, "{nth}: one has it: {won:?}");
    won.pop()
}

async fn ask(callers: &[Caller; 2], account: usize, nth: usize, user: usize) -> Option<(StatusCode, Value)> {
    let body = json!({"account": world::account(account)});
    callers[(nth + user) % 2].call(Method::POST, "/v1/reservations", 2 * account + user, Some(body)).await
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap().to_owned()
}

/// The holder logs in at one process while something else happens at the other; then the slot is made free again.
async fn schedule(callers: &[Caller; 2], account: usize, nth: usize) -> Option<Ended> {
    let Some((holder, secret, id)) = contest(callers, account, nth).await else {
        return tidy(&callers[0], account, None).await;
    };
    let against = [Against::Release, Against::Force, Against::Login][nth % 3];
    let (here, there) = (&callers[nth / 3 % 2], &callers[1 - nth / 3 % 2]);
    let path = format!("/v1/reservations/{id}");
    let (one, two) = (
        world::login(here, account, &format!("{nth}-1"), &secret),
        world::login(there, account, &format!("{nth}-2"), &secret),
    );
    let other = async {
        match against {
            Against::Release => there.call(Method::DELETE, &path, holder, None).await.map(|(s, _)| (s.as_u16(), None)),
            Against::Force => {
                let (path, why) = (format!("{path}/force-release"), json!({"reason": "race"}));
                there.call(Method::POST, &path, AGENTS, Some(why)).await.map(|(s, _)| (s.as_u16(), None))
            }
            Against::Login => Some((200, Some(there.deliver(&two).await))),
        }
    };
    let (told, other) = tokio::join!(here.deliver(&one), other);
    let unclear = disturbed(&told)
        || other.as_ref().is_none_or(|(status, told)| *status == 503 || told.as_ref().is_some_and(disturbed));
    if unclear {
        return tidy(&callers[0], account, Some((holder, id, one))).await;
    }
    let granted = |told: &Told| usize::from(matches!(told, Told::Granted(_)));
    let tokens = granted(&told) + other.as_ref().and_then(|(_, told)| told.as_ref()).map_or(0, granted);
    let (status, shown) = there.call(Method::GET, &path, holder, None).await?;
    if status == 503 {
        return None;
    }
    let state = text(&shown, "state");
    assert_eq!(tokens, usize::from(state == "CONSUMED"), "{nth} {against:?}: {shown}, {told:?}, {other:?}");
    assert!(state != "HELD", "{nth} {against:?}: it ended");
    Some((against, state))
}

/// After a schedule that was cut short: what is still held is used up or taken away.
async fn tidy(caller: &Caller, account: usize, left: Option<(usize, String, String)>) -> Option<Ended> {
    if let Some((_, _, hook)) = left {
        settle(caller, &hook).await;
    }
    let deadline = Instant::now() + Duration::from_mins(1);
    while Instant::now() < deadline {
        let mut free = true;
        for user in [2 * account, 2 * account + 1] {
            free &= give_back(caller, user).await == Some(true);
        }
        if free {
            return None;
        }
        tokio::task::yield_now().await;
    }
    panic!("account {account} doesn't become free")
}

/// True if he held nothing any more.
async fn give_back(caller: &Caller, user: usize) -> Option<bool> {
    let (_, page) = caller.call(Method::GET, "/v1/reservations", user, None).await?;
    let held: Vec<_> = page["items"].as_array()?.iter().filter(|item| item["state"] == "HELD").collect();
    for item in &held {
        let path = format!("/v1/reservations/{}", item["id"].as_str()?);
        caller.call(Method::DELETE, &path, user, None).await?;
    }
    Some(held.is_empty())
}

/// Ends of each reservation in the trail.
fn by_reservation(trail: &[(Seq, Event)]) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (_, event) in trail {
        let Some(named) = event.target.iter().find(|target| target.kind == "reservation") else { continue };
        found.entry(named.id.as_str()).or_default().push(event.code.as_str());
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_gives_the_account_away_and_one_ends_it() {
    let shared = Shared::new(AGENTS, &[]).await;
    world::share(&shared.world, AGENTS, ACCOUNTS);
    let pair = shared.pair().await;
    let callers = shared.callers(&pair);
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for account in 0..ACCOUNTS {
        let (callers, next) = (callers.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            let mut ended = Vec::new();
            loop {
                let nth = next.fetch_add(1, SeqCst);
                if nth >= schedules() {
                    return ended;
                }
                ended.push(schedule(&callers, account, nth).await);
            }
        });
    }
    let ended: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let clear: Vec<_> = ended.iter().flatten().collect();
    assert!(
        clear.len() * 2 > ended.len(),
        "{} of {} were disturbed: the machine is too busy",
        ended.len() - clear.len(),
        ended.len()
    );
    let trail = all_events(&shared.store(), Vec::new()).await;
    let mut consumed = 0;
    for (id, codes) in by_reservation(&trail) {
        let of = |code: &str| codes.iter().filter(|c| **c == code).count();
        let ends = codes.iter().filter(|c| c.starts_with("DA300") && **c != "DA3000").count();
        assert_eq!((of("DA3000"), ends), (1, 1), "{id}: {codes:?}");
        assert_eq!(of("DA3001"), of("DA1000"), "{id}: a token if and only if it is used: {codes:?}");
        consumed += of("DA3001");
    }
    let mut told: BTreeMap<_, usize> = BTreeMap::new();
    for ended in &clear {
        *told.entry(ended).or_default() += 1;
    }
    for against in [Against::Release, Against::Force] {
        let ends: Vec<_> = told.keys().filter(|(a, _)| *a == against).collect();
        assert!(ends.len() == 2, "a race that one side always wins is none: {told:?}");
    }
    println!(
        "two processes, one Redis: {} schedules, {} undisturbed: {told:?}; {consumed} tokens in all, one end for each",
        ended.len(),
        clear.len()
    );
}
