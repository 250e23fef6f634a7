use super::*;
use crate::{domain::ids::RecordId, ports::store::Kind};

#[test]
fn header_and_counters_round_trip() {
    let header = Header { incarnation: [1; 16], batch: 2 };
    assert_eq!(Header::decode(&header.encode()).unwrap(), header);
    let meta = Meta { version: 1, seq: 2, high: -3, records: 4, events: 5 };
    assert_eq!(Meta::decode(&meta.encode()).unwrap(), meta);
    assert!(Meta::decode(&[]).is_err());
    assert!(Header::decode(&header.encode()[..20]).is_err());
}

/// As the first version wrote them. Files hold such bytes: where this fails, the formats need a new number.
#[test]
fn header_and_counters_of_format_1_are_read() {
    let header = [b"\x01".as_slice(), &[7; 16], b"\0\0\0\0\0\0\0\x09"].concat();
    assert_eq!(Header::decode(&header).unwrap(), Header { incarnation: [7; 16], batch: 9 });
    let numbers =
        b"\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xfd\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x05";
    assert_eq!(Meta::decode(numbers).unwrap(), Meta { version: 1, seq: 2, high: -3, records: 4, events: 5 });
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
