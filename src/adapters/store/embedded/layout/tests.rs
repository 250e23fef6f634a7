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
