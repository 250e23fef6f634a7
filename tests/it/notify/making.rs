//! From events to notifications.

use behalf::ports::directory::DirectoryError;
use jiff::SignedDuration;

use super::*;
use crate::support::{
    fake_directory::{Act, Op},
    test_app::uid,
};

#[actix_web::test]
async fn the_delegator_is_told_that_somebody_acted_and_nobody_is_told_of_the_past() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.deliver(&refresh_hook("before", Some(&id)).to_string()).await;
    // As if a sealer had been here: the past begins with what isn't sealed.
    let sealer = crate::audit::sealer_for_tests();
    while sealer.pass(&app.services, &default_tenant()).await.unwrap().more {}
    let receiver = Receiver::start();
    let rig = Rig::over(app, vec![webhook("ops", &receiver.url), email(1)]).await;
    rig.act("e1").await;
    assert_eq!(rig.make().await, 2);
    assert_eq!(rig.make().await, 0, "each event once");
    let waiting = rig.in_state("waiting").await;
    let by_mail = waiting.iter().find(|n| n.channel == Channel::Email).unwrap();
    assert_eq!(by_mail.recipient.as_ref().unwrap().user.as_str(), "00ubob");
    let granted = rig.coded("DA1000").await;
    assert_eq!(by_mail.facts.event, granted[1].id, "not the first, which was before");
}

#[actix_web::test]
async fn two_readers_make_of_each_event_one_notification() {
    let rig = Rig::new(vec![email(1)]).await;
    for _ in 0..150 {
        rig.ask(&["user:00ubob", "user:00ueve"]).await;
    }
    let tenant = default_tenant();
    let pass = |holder| make::pass(rig.services(), &tenant, &rig.outlets, holder);
    let mut made = 0;
    loop {
        let (one, two) = tokio::join!(pass("one"), pass("two"));
        let (one, two) = (one.unwrap(), two.unwrap());
        made += one.notifications + two.notifications;
        if rig.in_state("waiting").await.len() == 300 {
            break;
        }
        assert!(made <= 300, "more were made than there are to make");
    }
    assert_eq!(made, 300);
    assert_eq!(rig.make().await, 0);
}

#[actix_web::test]
async fn what_is_days_old_is_nobodys_news() {
    let rig = Rig::new(vec![email(1)]).await;
    rig.ask(&["user:00ubob"]).await;
    rig.app.advance(SignedDuration::from_hours(73));
    rig.ask(&["user:00ueve"]).await;
    assert_eq!(rig.make().await, 1);
    assert_eq!(rig.in_state("waiting").await[0].recipient.as_ref().unwrap().user.as_str(), "00ueve");
}

#[actix_web::test]
async fn an_event_that_nobody_can_read_keeps_nobody_from_the_others() {
    let rig = Rig::new(vec![email(1)]).await;
    let now = rig.app.store_now() + SignedDuration::from_secs(60);
    let change = Change { events: vec![b"not an event".to_vec()], ..Change::new(rig.services().change_id(), now) };
    rig.services().store.commit(&default_tenant(), change).await.unwrap();
    rig.ask(&["user:00ubob"]).await;
    assert_eq!(rig.make().await, 1);
}

#[actix_web::test]
async fn nobody_whom_to_tell_is_recorded_and_told() {
    let rig = Rig::new(vec![email(1)]).await;
    // There is no such group, and a webhook isn't there, either.
    let asked = rig.ask(&["group:00gfinance"]).await;
    rig.make().await;
    let nobody = rig.in_state("unreachable").await;
    assert_eq!((nobody.len(), &nobody[0].channel), (1, &Channel::Nobody));
    let told = rig.coded("DA7001").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].details["event"], asked.as_str());
    assert!(told[0].target.iter().any(|target| target.kind == "approval" && target.id == "apr_x"));
}

#[actix_web::test]
async fn members_of_approving_groups_are_told_each_once() {
    let rig = Rig::new(vec![email(1)]).await;
    let directory = &rig.app.directory;
    directory.set_groups(&uid("00ueve"), &["00gfinance", "00gops"]);
    directory.set_groups(&uid("00ubob"), &["00gops"]);
    // Who asked doesn't decide.
    directory.set_groups(&uid("00uann"), &["00gops"]);
    rig.ask(&["group:00gfinance", "group:00gops", "group:00gnone", "user:00ubob"]).await;
    rig.make().await;
    let told = |waiting: Vec<Notification>| {
        let mut told: Vec<_> = waiting.into_iter().map(|n| n.recipient.unwrap().user.to_string()).collect();
        told.sort();
        told
    };
    assert_eq!(told(rig.in_state("waiting").await), ["00ubob", "00ueve"]);
    // Whose groups can't be asked for are left to the others.
    rig.app.directory.next(Op::MembersOf, Act::Fail(DirectoryError::Unavailable("the test says so".to_owned())));
    rig.ask(&["group:00gops", "user:00uroot"]).await;
    rig.make().await;
    assert_eq!(told(rig.in_state("waiting").await), ["00ubob", "00ueve", "00uroot"]);
    assert_eq!(rig.coded("DA7001").await.len(), 0);
}

#[actix_web::test]
async fn that_none_of_them_has_an_address_is_told_once_and_only_if_it_is_so() {
    let Some(server) = crate::support::mail::MailServer::start("none").await else { return };
    let rig = Rig::new(vec![email(server.port)]).await;
    // Neither Eve nor Root has an address; Bob has one.
    rig.ask(&["user:00ueve", "user:00uroot", "user:00unobody"]).await;
    rig.ask(&["user:00ueve", "user:00ubob"]).await;
    rig.make().await;
    let mut outcomes = rig.send(0).await;
    outcomes.sort_by_key(|outcome| outcome.code());
    let lost = Outcome::Unreachable;
    assert_eq!(outcomes, [Outcome::Sent, lost, lost, lost, lost]);
    assert_eq!(rig.coded("DA7001").await.len(), 1);
    assert_eq!(rig.in_state("unreachable").await.len(), 4);
    assert_eq!(server.taken().len(), 1);
}
