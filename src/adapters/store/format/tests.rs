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
    let back = Head::decode(Kind(2), &bytes).unwrap();
    assert_eq!(back.to_record(), head().to_record());
    assert_eq!(back.rows, head().rows);
}

#[test]
fn a_cut_record_is_unreadable_at_every_length() {
    let bytes = head().encode();
    for end in 0..bytes.len() - head().body.len() {
        assert!(matches!(Head::decode(Kind(2), &bytes[..end]), Err(Unreadable(_))), "{end}");
    }
}

#[test]
fn a_newer_format_is_named() {
    let mut bytes = head().encode();
    bytes[0] = 2;
    let Err(Unreadable(text)) = Head::decode(Kind(2), &bytes) else { panic!("read a newer format") };
    let told = "a record of kind 2 (delegation): it has format 2; this version reads format 1: run the newer version";
    assert!(text.contains(told), "{text}");
}

#[test]
fn a_time_out_of_range_is_unreadable() {
    let mut bytes = head().encode();
    bytes[10..18].copy_from_slice(&i64::MAX.to_be_bytes());
    assert!(matches!(Head::decode(Kind(2), &bytes), Err(Unreadable(_))));
}

/// A record as the first version wrote it. Stores hold such bytes: where this fails, the format needs a new number, and
/// the old one a reader.
#[test]
fn a_record_of_format_1_is_read() {
    let bytes = [
        b"\x01\0\0\0\0\0\0\0\x07\x03\0\0\0\0\0\x0f\x42\x42\0\0\0\0\0\x1e\x84\x83".as_slice(),
        &[4; 16],
        b"\x02\x03",
        &[9; 32],
        b"\0\0\0\0\0\0\0\x01\x03",
        &[9; 32],
        &[0xff; 8],
        b"body",
    ];
    let time = |micros| Some(Timestamp::from_microsecond(micros).unwrap());
    let expected = Head { live_until: time(1_000_002), drop_at: time(2_000_003), ..head() };
    assert_eq!(expected.encode(), bytes.concat());
    let (bytes, expected) = (bytes.concat(), expected);
    let read = Head::decode(Kind(2), &bytes).unwrap();
    assert_eq!((read.to_record(), read.rows), (expected.to_record(), expected.rows));
}
