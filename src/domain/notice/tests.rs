use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::{
    audit::Code,
    ids::{TenantName, is_deceptive},
};

fn event(kind: &str) -> Event {
    let ann = Actor { kind: "user".into(), id: "00uann".into(), login: Some("ann@example.test".into()) };
    let id = EventId::mint(Timestamp::UNIX_EPOCH, [1; 10]);
    let mut event = Event::new(Code::HookGranted, &TenantName::default_tenant(), ann, id, Timestamp::UNIX_EPOCH);
    kind.clone_into(&mut event.kind);
    event
}

fn told(event: &Event) -> Vec<(Role, &'static str, String)> {
    let shown = concerned(event).into_iter().map(|concern| match concern.who {
        Who::User(id) => (concern.role, "user", id.to_string()),
        Who::Group(id) => (concern.role, "group", id.to_string()),
    });
    shown.collect()
}

fn notification(event: &Event) -> Notification {
    let facts = Facts::of(7, event).unwrap();
    Notification::open(Opening { facts, channel: Channel::Email, recipient: None, alone_with: None }, event.time)
}

#[test]
fn each_event_concerns_whom_it_should() {
    let bob = Actor { kind: "user".into(), id: "00ubob".into(), login: None };
    let asked = event("approval.requested").detail("approvers", json!(["user:00udan", "group:00g1", "x", 7, "user:"]));
    assert_eq!(
        told(&asked),
        [(Role::Approver, "user", "00udan".to_owned()), (Role::Approver, "group", "00g1".to_owned())]
    );
    let mut acted = event("hook.decision.granted");
    acted.on_behalf_of = Some(bob.clone());
    assert_eq!(told(&acted), [(Role::Delegator, "user", "00ubob".to_owned())]);
    let mut denied = event("approval.denied").on("approval", &"apr_1").on("agent", &"00ueve");
    denied.on_behalf_of = Some(bob.clone());
    assert_eq!(told(&denied), [(Role::Requester, "user", "00ueve".to_owned())]);
    assert_eq!(Facts::of(1, &denied).unwrap().requester, Some(UserId::parse("00ueve").unwrap()));
    let mut broken = event("approval.break_glass").detail("skipped", json!(["user:00udan", "user:00ubob"]));
    broken.on_behalf_of = Some(bob);
    // Who is both is told once.
    let both = [(Role::Approver, "user", "00udan".to_owned()), (Role::Approver, "user", "00ubob".to_owned())];
    assert_eq!(told(&broken), both);
    let freed = event("reservation.force_released").on("user", &"00ushared").on("user", &"00ueve");
    assert_eq!(told(&freed), [(Role::Holder, "user", "00ueve".to_owned())]);
    assert!(told(&event("otp.locked").on("user", &"00ushared")).is_empty(), "nobody holds it");
    let granted = event("grant.added").on("delegator", &"00ubob").on("agent", &"00uann");
    assert_eq!(told(&granted).len(), 2);
    for other in ["hook.decision.denied", "notification.dead", "approval.voted", ""] {
        assert!(told(&event(other)).is_empty() && Facts::of(1, &event(other)).is_none(), "{other}");
    }
}

#[test]
fn no_event_names_more_people_than_the_bound() {
    let many: Vec<String> = (0..500).map(|n| format!("user:u{n}")).collect();
    assert_eq!(concerned(&event("approval.requested").detail("approvers", many)).len(), MOST_CONCERNED);
}

#[test]
fn waits_grow_and_end() {
    let mut one = notification(&event("grant.added"));
    let mut waits = Vec::new();
    loop {
        let now = Timestamp::UNIX_EPOCH;
        one = one.failed("http-500", None, 127, now);
        let State::Waiting { next } = one.state else { break };
        waits.push(next.duration_since(now).as_secs());
    }
    // With that byte of jitter, nearly 5 s, 30 s, 2 min, 10 min, 1 h, 6 h, and 24 h.
    assert_eq!(waits, [4, 29, 119, 599, 3596, 21578, 86313]);
    assert!(matches!(one.state, State::Dead { .. }) && one.failures == 8);
    let again = one.again(Timestamp::UNIX_EPOCH).unwrap();
    assert!(again.failures == 0 && again.is_due(Timestamp::UNIX_EPOCH));
    assert_eq!(again.again(Timestamp::UNIX_EPOCH), None, "it waits");
}

#[test]
fn jitter_and_a_receivers_wish_stay_within_bounds() {
    let at = Timestamp::UNIX_EPOCH;
    let wait = |jitter, wish: Option<i64>| {
        let failed = notification(&event("grant.added")).failed("x", wish.map(SignedDuration::from_secs), jitter, at);
        let State::Waiting { next } = failed.state else { panic!("{failed:?}") };
        next.duration_since(at).as_millis()
    };
    assert_eq!((wait(0, None), wait(255, None)), (4500, 5500));
    assert_eq!((wait(0, Some(60)), wait(0, Some(86400)), wait(0, Some(-60))), (60_000, 3_600_000, 4500));
}

#[test]
fn ids_follow_from_what_they_are_about() {
    let (one, two) = (notification(&event("grant.added")), notification(&event("grant.added")));
    assert_eq!(one.id(), two.id());
    let text = one.id().to_string();
    assert_eq!(NotificationId::parse(&text), Some(one.id()));
    assert!(!text.contains('.'), "a webhook's id must not hold a dot");
    let by_webhook = NotificationId::of(&one.facts, &Channel::Webhook("email".into()), None);
    assert_ne!(by_webhook, one.id());
    for bad in ["", "ntf_", "evt_x", &text[1..], &format!("{text}A")] {
        assert_eq!(NotificationId::parse(bad), None, "{bad}");
    }
}

#[test]
fn the_stored_form_round_trips() {
    let mut event = event("approval.requested").on("approval", &"apr_1").detail("approvers", json!(["user:00udan"]));
    event.on_behalf_of = Some(Actor::user_id("00ubob"));
    let one = notification(&event).failed("http-500", None, 3, Timestamp::UNIX_EPOCH);
    let text = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<Notification>(&text).unwrap(), one);
}

#[test]
fn a_link_leads_below_the_base_whatever_the_id_is() {
    let bent = event("approval.requested").on("approval", &"apr_1/../../x?y#z@evil.test");
    let facts = Facts::of(1, &bent).unwrap();
    assert_eq!(facts.link("https://a.test/b/"), "https://a.test/b/approvals/apr_1xyzeviltest");
}

#[test]
fn addresses_are_masked() {
    assert_eq!(Mask::of("bob@example.test").as_str(), "b***@example.test");
    assert_eq!(Mask::of("no address").as_str(), "n***@");
}

proptest! {
    /// Whatever a caller calls himself, the mail keeps its lines, and holds one link: ours.
    #[test]
    fn no_name_changes_the_shape_of_a_mail(login in "\\PC{0,200}|[\\r\\n\u{202e}\u{200b}a:/w.]{0,40}|https?://www\\.evil\\.test/.*") {
        let plain = notification(&event("hook.decision.granted"));
        let mut named = event("hook.decision.granted");
        named.actor.login = Some(login.clone());
        let named = notification(&named);
        let tenant = TenantName::default_tenant();
        let ((subject, text), (subject_of_plain, plain)) =
            (mail(&tenant, &named, "https://a.test"), mail(&tenant, &plain, "https://a.test"));
        prop_assert_eq!(subject, subject_of_plain);
        prop_assert_eq!(text.lines().count(), plain.lines().count());
        prop_assert_eq!(text.matches("://").count(), 1);
        prop_assert!(!text.replace("\r\n", "").chars().any(is_deceptive));
        prop_assert!(!payload(&tenant, &named, "https://a.test").contains("login"));
    }
}
