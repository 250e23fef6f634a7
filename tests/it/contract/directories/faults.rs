//! The server away, slow, or out of its mind: never a yes, always in time, and over by itself.

use std::{sync::Arc, time::Duration};

use behalf::{
    domain::ids::{GroupId, UserId},
    ports::directory::{Directory, DirectoryError},
};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, time::Instant};

use super::{BUDGET, Bench, by_id};
use crate::support::process::until;

/// Alice lists bob, who is in a group; the connector has been used.
struct Scene {
    alice: UserId,
    bob: UserId,
    group: GroupId,
}

async fn scene(b: &Bench) -> Scene {
    let [alice, bob] = [b.put("alice").await, b.put("bob").await];
    b.rig.list(&alice, std::slice::from_ref(&bob)).await;
    assert!(b.granted(&alice, &bob).await);
    let group = b.rig.group(std::slice::from_ref(&bob)).await.unwrap();
    Scene { alice, bob, group }
}

/// The errors of all that decides, asked at the same time. An answer is a failure of the test.
async fn errors(directory: &Arc<dyn Directory>, scene: &Scene) -> Vec<DirectoryError> {
    let Scene { alice, bob, group } = scene;
    let who = by_id(alice);
    let (user, delegator, granted, agents, groups, members) = tokio::join!(
        directory.user(&who),
        directory.delegator(&who, bob),
        directory.is_granted(alice, bob),
        directory.agents_of(alice),
        directory.groups_of(alice),
        directory.members_of(group, 10),
    );
    let mut errors = vec![
        user.map(|_| ()).unwrap_err(),
        delegator.map(|_| ()).unwrap_err(),
        granted.map(|_| ()).unwrap_err(),
        agents.map(|_| ()).unwrap_err(),
        members.map(|_| ()).unwrap_err(),
    ];
    // The embedded rules' groups may need no call; an answer of nothing is no yes.
    errors.extend(groups.map(|found| assert!(found.is_empty())).err());
    errors
}

async fn all_unavailable(b: &Bench, scene: &Scene) {
    for error in errors(&b.directory, scene).await {
        assert!(matches!(error, DirectoryError::Unavailable(_)), "{error:?}");
    }
}

async fn back(b: &Bench, Scene { alice, bob, group }: &Scene) {
    until("the directory answers again", async || b.directory.is_granted(alice, bob).await.ok().filter(|g| *g)).await;
    until("it tells who is in a group", async || b.directory.members_of(group, 10).await.ok()).await;
}

pub(in crate::contract) async fn down_is_unavailable_and_over_by_itself(b: Bench) {
    let Some(line) = b.rig.line() else { return };
    let scene = scene(&b).await;
    line.refuse();
    line.cut();
    for _ in 0..3 {
        all_unavailable(&b, &scene).await;
    }
    let added = b.directory.add_grant(&scene.alice, &scene.bob).await;
    assert!(matches!(added, Err(DirectoryError::Unavailable(_))), "{added:?}");
    line.admit();
    back(&b, &scene).await;
}

pub(in crate::contract) async fn half_down_is_unavailable_in_time(b: Bench) {
    let Some(line) = b.rig.line() else { return };
    let scene = scene(&b).await;
    for connections_too in [false, true] {
        line.delay(Duration::from_hours(1));
        if connections_too {
            line.cut();
        }
        let start = Instant::now();
        all_unavailable(&b, &scene).await;
        assert!(start.elapsed() < BUDGET * 2, "{:?}", start.elapsed());
        // After a few of these nobody waits any more.
        until("the breaker opens", async || {
            let start = Instant::now();
            all_unavailable(&b, &scene).await;
            (start.elapsed() < BUDGET / 10).then_some(())
        })
        .await;
        line.delay(Duration::ZERO);
        line.cut();
        back(&b, &scene).await;
    }
}

pub(in crate::contract) async fn slow_is_waited_for_up_to_the_deadline(b: Bench) {
    let Some(line) = b.rig.line() else { return };
    let scene = scene(&b).await;
    line.delay(Duration::from_millis(50));
    assert_eq!(b.directory.is_granted(&scene.alice, &scene.bob).await, Ok(true));
    line.delay(BUDGET * 2);
    let start = Instant::now();
    all_unavailable(&b, &scene).await;
    assert!(start.elapsed() < BUDGET * 2, "{:?}", start.elapsed());
    line.delay(Duration::ZERO);
    back(&b, &scene).await;
}

pub(in crate::contract) async fn garbage_is_no_answer(b: Bench) {
    let Some(line) = b.rig.line() else { return };
    let scene = scene(&b).await;
    let server = line.target();
    let pieces: [&'static [u8]; 4] = [
        b"\x00\xff\x30\x84garbage that nobody speaks\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[1,2,{}]\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<html>Hi</html>",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999999\r\n\r\n{\"id\":",
    ];
    for garbage in pieces {
        let liar = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        line.retarget(&liar.local_addr().unwrap().to_string());
        line.cut();
        let lying = tokio::spawn(async move {
            while let Ok((mut client, _)) = liar.accept().await {
                // It may be gone already, which is its business.
                let _ = client.write_all(garbage).await;
                let _ = client.shutdown().await;
            }
        });
        all_unavailable(&b, &scene).await;
        lying.abort();
    }
    line.retarget(&server);
    line.cut();
    back(&b, &scene).await;
}

pub(in crate::contract) async fn connections_that_are_cut_are_made_again(b: Bench) {
    let Some(line) = b.rig.line() else { return };
    let scene = scene(&b).await;
    for _ in 0..5 {
        line.cut();
        back(&b, &scene).await;
    }
    let connections = line.accepted();
    for _ in 0..20 {
        assert!(b.granted(&scene.alice, &scene.bob).await);
    }
    assert!(!b.rig.keeps_connections() || line.accepted() <= connections + 16, "connections are kept");
}

pub(in crate::contract) async fn who_throttles_is_told_apart_and_over_by_itself(b: Bench) {
    let scene = scene(&b).await;
    if !b.rig.throttle(true).await {
        return;
    }
    for error in errors(&b.directory, &scene).await {
        assert!(matches!(error, DirectoryError::Throttled { .. }), "{error:?}");
    }
    let added = b.directory.add_grant(&scene.alice, &scene.alice).await;
    assert!(added.is_err());
    b.rig.throttle(false).await;
    back(&b, &scene).await;
}
