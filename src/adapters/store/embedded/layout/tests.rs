use super::*;
use crate::domain::ids::RecordId;

fn head() -> Head<'static> {
    let row = |sort| IndexRow { index: Index { list: 3, owner: [9; 32] }, sort };
    Head {
        version: 7,
        live_until: Some(Timestamp::from_microsecond(-5).unwrap()),
        drop_at: None,
        last_change: ChangeId([4; 16]),
        rows: vec![row(1), row(u64::MAX)],
        body: b"body",
    }
}

#[test]
fn a_record_round_trips() {
    let bytes = head().encode();
    let back = Head::decode(&bytes).unwrap();
    assert_eq!(back.to_record(), head().to_record());
    assert_eq!(back.rows, head().rows);
}

#[test]
fn a_cut_record_is_unreadable_at_every_length() {
    let bytes = head().encode();
    for end in 0..bytes.len() - head().body.len() {
        assert!(matches!(Head::decode(&bytes[..end]), Err(Fault::Unreadable(_))), "{end}");
    }
}

#[test]
fn a_newer_format_is_named() {
    let mut bytes = head().encode();
    bytes[0] = 2;
    let Err(Fault::Unreadable(text)) = Head::decode(&bytes) else { panic!("read a newer format") };
    assert!(text.contains("format 2"), "{text}");
}

#[test]
fn a_time_out_of_range_is_unreadable() {
    let mut bytes = head().encode();
    bytes[10..18].copy_from_slice(&i64::MAX.to_be_bytes());
    assert!(matches!(Head::decode(&bytes), Err(Fault::Unreadable(_))));
}

#[test]
fn header_and_counters_round_trip() {
    let header = Header { incarnation: [1; 16], batch: 2 };
    assert_eq!(Header::decode(&header.encode()).unwrap(), header);
    let meta = Meta { version: 1, seq: 2, high: -3, records: 4, events: 5 };
    assert_eq!(Meta::decode(&meta.encode()).unwrap(), meta);
    assert!(Meta::decode(&[]).is_err());
    assert!(Header::decode(&header.encode()[..20]).is_err());
}

#[test]
fn keys_sort_as_their_parts_do() {
    let tenant = TenantName::parse("a").unwrap();
    let index = Index { list: 1, owner: [0; 32] };
    let key = |time| Key { kind: Kind(255), id: RecordId { time, hash: [0xff; 32] } };
    let row = |sort, time| index_key(&tenant, IndexRow { index, sort }, key(time));
    assert!(index_start(&tenant, index, 5) < row(5, 0));
    assert!(row(5, u64::MAX) < index_end(&tenant, index, 5));
    assert!(index_end(&tenant, index, 5) < row(6, 0));
    assert_eq!(index_tail(&row(5, 8)).unwrap(), (5, key(8)));
    assert!(event_key(&tenant, Seq(255)) < event_key(&tenant, Seq(256)));
    assert_eq!(event_seq(&event_key(&tenant, Seq(256))).unwrap(), Seq(256));
}
