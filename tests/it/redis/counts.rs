//! What a hook costs Redis. In this process, where nothing else asks it.

use std::sync::Arc;

use behalf::app::DelegationLimits;
use futures_util::StreamExt as _;

use crate::{
    contract::redis::over,
    support::{
        redis::Redis,
        test_app::{Setup, TestApp, refresh_hook},
    },
};

const HOOKS: usize = 100;
/// In the same debug build, on a machine that others use: more would run into the budget.
const AT_ONCE: usize = 10;

/// Reads, commits, and scripts that were sent whole.
fn counts(redis: &Redis) -> [u64; 3] {
    ["mget", "evalsha", "eval"].map(|command| redis.stats(command))
}

async fn deliver(app: &TestApp, event: String, id: Option<&str>) -> String {
    let (_, body) = app.deliver(&refresh_hook(&event, id).to_string()).await;
    body
}

#[actix_web::test]
async fn a_delegated_hook_is_one_read_and_one_commit() {
    let redis = Redis::start(&[]).await;
    let store = Arc::new(over(&redis));
    let limits = DelegationLimits { max_pending: 3 * HOOKS, ..DelegationLimits::default() };
    let app = TestApp::with(Setup { wrap: Box::new(move |_| store), limits, ..Setup::default() }).await;
    let mut ids = Vec::new();
    for _ in 0..2 * HOOKS {
        ids.push(app.begin().await);
    }
    let cost = |before: [u64; 3]| {
        let after = counts(&redis);
        [after[0] - before[0], after[1] - before[1], after[2] - before[2]]
    };
    let each = HOOKS as u64;

    let before = counts(&redis);
    for (nth, id) in ids[..HOOKS].iter().enumerate() {
        let told = deliver(&app, format!("one-by-one-{nth}"), Some(id)).await;
        assert!(told.contains("on_behalf_sub"), "{told}");
    }
    assert_eq!(cost(before), [each, each, 0], "one after the other");

    let before = counts(&redis);
    let hooks = ids[HOOKS..].iter().enumerate();
    let at_once = hooks.map(|(nth, id)| deliver(&app, format!("at-once-{nth}"), Some(id)));
    let told: Vec<_> = futures_util::stream::iter(at_once).buffer_unordered(AT_ONCE).collect().await;
    let refused: Vec<_> = told.iter().filter(|told| !told.contains("on_behalf_sub")).collect();
    assert!(refused.is_empty(), "{} of them, such as {}", refused.len(), refused[0]);
    assert_eq!(cost(before), [each, each, 0], "some at once");

    let before = counts(&redis);
    for nth in 0..HOOKS {
        assert_eq!(deliver(&app, format!("plain-{nth}"), None).await, "", "untouched");
    }
    assert_eq!(cost(before), [0, 0, 0], "without an id");
    println!("{HOOKS} delegated hooks, twice: {HOOKS} MGET and {HOOKS} EVALSHA each time; {HOOKS} without an id: none");
}
