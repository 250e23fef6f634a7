//! Events in the spelling in which they are written are sealed without being spelled anew.

use super::*;
use crate::domain::{
    audit::{Actor, Policy},
    hook::TraceLine,
    ids::EventId,
    reason::Reason,
};

/// An event that has every field.
fn whole(details: Vec<(String, Value)>, text: &str) -> Event {
    let by = Actor { login: Some(text.to_owned()), ..Actor::user_id("00uAnn") };
    let event = Event::new(Code::HookDenied, &acme(), by.clone(), EventId::mint(Timestamp::UNIX_EPOCH, [1; 10]), at());
    let mut event = event.failed(Reason::GrantGone).on("delegation", &"dlr_x").on("user", &text).through(text);
    event = event.changed(Some("PENDING"), "EXPIRED").in_request(Some("r-1"));
    event.on_behalf_of = Some(by);
    event.request.hook_event_id = Some(text.to_owned());
    let said = TraceLine { stage: "grant".to_owned(), said: "continue".to_owned() };
    event.policy = Policy { rule: Some(text.to_owned()), trace: vec![said] };
    details.into_iter().fold(event, |event, (name, value)| event.detail(&name, value))
}

fn at() -> Timestamp {
    "2026-11-22T04:54:57.926614Z".parse().unwrap()
}

#[test]
fn fields_stand_in_canonical_order() {
    let event = whole(vec![("a".to_owned(), json!({"b": [1, null]}))], "é\n\u{7f}\"\\");
    let body = serde_json::to_string(&event).unwrap();
    assert_eq!(body, canonical(&event).unwrap());
    assert_eq!(as_written(body.as_bytes()).map(|event| event.json), Some(body));
}

#[test]
fn other_spellings_are_spelled_anew() {
    let event = whole(vec![("n".to_owned(), json!(1))], "x");
    let body = serde_json::to_string(&event).unwrap();
    for other in [
        body.replacen("\"v\":1", "\"v\": 1", 1),
        body.replacen("\"n\":1", "\"n\":0,\"n\":1", 1),
        body.replacen("DA1001", "\\u0044A1001", 1),
        body.replacen('{', "{\"aa\":1,", 1),
        body.replacen("926614Z", "926614+00:00", 1),
        body.replacen("\"n\":1", "\"n\":1.5", 1),
        body.replacen("\"n\":1", "\"é\":1", 1),
    ] {
        assert_ne!(other, body);
        assert_eq!(as_written(other.as_bytes()), None, "{other}");
        assert!(SealedEvent::read(other.as_bytes()).is_ok(), "{other}");
    }
}

#[test]
fn what_a_verifier_reads_is_read_either_way() {
    let trimmed = Event { code: Code::AuditTrimmed.code().to_owned(), ..whole(Vec::new(), "x") }.detail("up_to", 7);
    let body = serde_json::to_vec(&trimmed).unwrap();
    assert_eq!(as_written(&body).unwrap().trimmed, Some(7));
    let rotation: Value = serde_json::from_value(rotated(1, 2, true)["details"]["rotation"].clone()).unwrap();
    let event = Event { code: Code::SigningKeyRotated.code().to_owned(), ..whole(Vec::new(), "x") };
    let body = serde_json::to_vec(&event.detail("rotation", rotation)).unwrap();
    assert!(as_written(&body).unwrap().rotation.is_some());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-bA\u{e9}\"]{0,2}", inner, 0..3)
                .prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn both_ways_read_the_same(details in vec(("[a-c\u{e9}]{0,2}", value()), 0..4), text in any::<String>()) {
        let body = serde_json::to_vec(&whole(details, &text)).unwrap();
        prop_assert_eq!(SealedEvent::read(&body), SealedEvent::read_any(&body));
    }
}
