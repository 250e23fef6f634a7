use super::*;

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
        assert!(matches!(Head::decode(&bytes[..end]), Err(Unreadable(_))), "{end}");
    }
}

#[test]
fn a_newer_format_is_named() {
    let mut bytes = head().encode();
    bytes[0] = 2;
    let Err(Unreadable(text)) = Head::decode(&bytes) else { panic!("read a newer format") };
    assert!(text.contains("format 2"), "{text}");
}

#[test]
fn a_time_out_of_range_is_unreadable() {
    let mut bytes = head().encode();
    bytes[10..18].copy_from_slice(&i64::MAX.to_be_bytes());
    assert!(matches!(Head::decode(&bytes), Err(Unreadable(_))));
}
