//! One `Idempotency-Key` at two processes at once: one request.

use behalf::domain::audit::Event;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::pair::{Shared, all_events, call};
use crate::{
    durability::{rig::Caller, setting},
    support::process::until,
};

/// The same request at each process.
const AT_EACH: usize = 8;

#[derive(Debug, PartialEq)]
struct Told {
    status: StatusCode,
    text: String,
    replayed: bool,
}

/// Locks the caller's own account. While the first request of the key goes on, or the machine is too busy: again.
async fn lock(caller: &Caller, key: &str) -> Told {
    until("an answer to the first request", async || {
        let request = caller.http.post(format!("{}/v1/locks", caller.url)).bearer_auth(&caller.tokens[0]);
        let answer = request.header("idempotency-key", key).json(&json!({"reason": "race"})).send().await.ok()?;
        let (status, replayed) = (answer.status(), answer.headers().contains_key("idempotent-replayed"));
        let text = answer.text().await.ok()?;
        status.is_success().then_some(Told { status, text, replayed })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_at_two_processes_at_once_is_one_request() {
    let shared = Shared::new(1, &[]).await;
    let pair = shared.pair().await;
    let callers = shared.callers(&pair);
    let rounds = usize::try_from(setting("BEHALF_TEST_ROUNDS").unwrap_or(5)).unwrap();
    let mut first_at = [0, 0];
    for round in 0..rounds {
        let key = format!("round-{round}");
        let told = join_all((0..2 * AT_EACH).map(|nth| lock(&callers[nth % 2], &key))).await;
        let fresh: Vec<usize> = (0..told.len()).filter(|nth| !told[*nth].replayed).collect();
        assert_eq!(fresh.len(), 1, "round {round}: {told:?}");
        first_at[fresh[0] % 2] += 1;
        for one in &told {
            assert_eq!((one.status, &one.text), (told[0].status, &told[0].text), "round {round}");
        }
        call(&callers[round % 2], Method::DELETE, "/v1/locks/00uann0", 0, 204).await;
        // It was lifted meanwhile, and stays so.
        assert!(lock(&callers[(round + 1) % 2], &key).await.replayed, "round {round}");
        call(&callers[round % 2], Method::DELETE, "/v1/locks/00uann0", 0, 404).await;
    }
    let trail = all_events(&shared.store(), Vec::new()).await;
    let placed = trail.iter().filter(|(_, event): &&(_, Event)| event.code == "DA6200").count();
    assert_eq!(placed, rounds, "one lock for each key");
    println!("one key, two processes: {rounds} rounds of {} requests; first at {first_at:?}", 2 * AT_EACH);
}
