//! What was acknowledged before a `kill -9` is so after it.

use super::{World, assert_delegates, assert_refuses};

#[tokio::test]
async fn acknowledged_is_kept_consumed_stays_consumed_and_an_answer_is_given_again() {
    let world = World::new();
    let service = world.serve(&[]).await;
    world.grant(&service).await;
    let hook = "/hooks/okta";
    let used = world.begin(&service).await;
    let delivered = world.hook("e1", Some(&used));
    let answer = world.deliver(&service.url(hook), &delivered).await;
    assert_delegates(&answer);
    let unused = world.begin(&service).await;
    service.process.signal("KILL");
    assert_eq!(service.process.end().await.code, None);

    let service = world.serve(&[]).await;
    assert_eq!(world.deliver(&service.url(hook), &delivered).await, answer, "the same delivery gets the same bytes");
    let second = world.deliver(&service.url(hook), &world.hook("e2", Some(&used))).await;
    assert_refuses(&second, "delegation-not-usable");

    let first_use = world.deliver(&service.url(hook), &world.hook("e3", Some(&unused))).await;
    assert_delegates(&first_use);
    let second_use = world.deliver(&service.url(hook), &world.hook("e4", Some(&unused))).await;
    assert_refuses(&second_use, "delegation-not-usable");
}
