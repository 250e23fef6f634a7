//! Indexes and events.

use behalf::{
    domain::ids::TenantName,
    ports::store::{Committed, Index, IndexRow, Key, ListPage, Page, Seq, Store, StoreError},
};

use super::{Bench, draft, index, key, tenant};

const ALL: Page = Page { up_to: u64::MAX, after: None, limit: 1000 };

async fn page(b: &Bench, list: u8, page: Page) -> ListPage {
    b.store.list(&b.tenant, index(list), page).await.unwrap()
}

fn places(page: &ListPage) -> Vec<(u64, Key)> {
    page.rows.iter().map(|(sort, key, _)| (*sort, *key)).collect()
}

pub(in crate::contract) async fn rows_come_in_order(b: Bench) {
    let change = draft()
        .put_in(key(3), &[(1, 20)])
        .put_in(key(2), &[(1, 20)])
        .put_in(key(1), &[(1, 300)])
        .put_in(key(4), &[(1, 0)])
        .put_in(key(5), &[(1, u64::MAX)])
        .build();
    b.done(change).await;
    let found = page(&b, 1, ALL).await;
    assert_eq!(places(&found), [(0, key(4)), (20, key(2)), (20, key(3)), (300, key(1)), (u64::MAX, key(5))]);
    assert!(!found.more);
    assert_eq!(found.now, b.now().await);
    assert_eq!(found.rows[0].2.as_ref().ok(), b.get(key(4)).await.as_ref());
}

pub(in crate::contract) async fn pages_continue(b: Bench) {
    for n in 0..7 {
        b.done(draft().put_in(key(n), &[(1, n / 3)]).build()).await;
    }
    let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let found = page(&b, 1, Page { after, limit: 2, ..ALL }).await;
        assert!(found.rows.len() <= 2);
        pages += 1;
        seen.extend(places(&found));
        after = seen.last().copied();
        if !found.more {
            break;
        }
    }
    assert_eq!(seen, (0..7).map(|n| (n / 3, key(n))).collect::<Vec<_>>());
    assert!((4..=5).contains(&pages), "{pages}");
    let behind = page(&b, 1, Page { after: Some((u64::MAX, key(9))), ..ALL }).await;
    assert_eq!((behind.rows.len(), behind.more), (0, false));
    // The row to continue behind need not be there any more.
    b.done(draft().remove(key(3)).build()).await;
    let rest = page(&b, 1, Page { after: Some((1, key(3))), ..ALL }).await;
    assert_eq!(places(&rest), [(1, key(4)), (1, key(5)), (2, key(6))]);
}

pub(in crate::contract) async fn up_to_is_inclusive(b: Bench) {
    for n in 1..=4 {
        b.done(draft().put_in(key(n), &[(1, n * 10)]).build()).await;
    }
    let found = page(&b, 1, Page { up_to: 20, ..ALL }).await;
    assert_eq!(places(&found), [(10, key(1)), (20, key(2))]);
    assert!(!found.more);
    assert_eq!(page(&b, 1, Page { up_to: 9, ..ALL }).await.rows.len(), 0);
    let behind = Page { up_to: 20, after: Some((30, key(3))), limit: 5 };
    assert_eq!(page(&b, 1, behind).await.rows.len(), 0);
}

pub(in crate::contract) async fn a_put_replaces_the_rows(b: Bench) {
    b.done(draft().put_in(key(1), &[(1, 1), (1, 2), (2, 3)]).build()).await;
    assert_eq!(places(&page(&b, 1, ALL).await), [(1, key(1)), (2, key(1))]);
    b.done(draft().put_in(key(1), &[(1, 9)]).build()).await;
    assert_eq!(places(&page(&b, 1, ALL).await), [(9, key(1))]);
    assert_eq!(page(&b, 2, ALL).await.rows.len(), 0);
    b.done(draft().put_in(key(1), &[(1, 9), (2, 4)]).build()).await;
    assert_eq!(places(&page(&b, 1, ALL).await), [(9, key(1))]);
    assert_eq!(places(&page(&b, 2, ALL).await), [(4, key(1))]);
    b.done(draft().put(key(1), b"unlisted").build()).await;
    assert_eq!(page(&b, 1, ALL).await.rows.len(), 0);
}

pub(in crate::contract) async fn a_record_has_sixteen_rows_and_no_more(b: Bench) {
    let rows: Vec<(u8, u64)> = (1..=17).map(|n| (n, u64::from(n))).collect();
    b.done(draft().put_in(key(1), &rows[..16]).build()).await;
    for (list, sort) in &rows[..16] {
        assert_eq!(places(&page(&b, *list, ALL).await), [(*sort, key(1))]);
    }
    let too_many = draft().put_in(key(2), &rows).build();
    assert!(b.store.commit(&b.tenant, too_many).await.is_err());
    assert_eq!(b.get(key(2)).await, None);
    b.done(draft().remove(key(1)).build()).await;
    for (list, _) in &rows {
        assert_eq!(page(&b, *list, ALL).await.rows.len(), 0);
    }
}

pub(in crate::contract) async fn a_drop_takes_the_rows(b: Bench) {
    b.done(draft().put_in(key(1), &[(1, 1), (2, 2)]).put_in(key(2), &[(1, 1)]).build()).await;
    b.done(draft().remove(key(1)).build()).await;
    assert_eq!(places(&page(&b, 1, ALL).await), [(1, key(2))]);
    assert_eq!(page(&b, 2, ALL).await.rows.len(), 0);
}

pub(in crate::contract) async fn owners_and_lists_are_apart(b: Bench) {
    let owned = |n: u8| Index { list: 1, owner: [n; 32] };
    for n in 0..3_u8 {
        let row = IndexRow { index: owned(n), sort: u64::MAX };
        let change = draft().put_as(key(n.into()), b"", |put| put.indexes = vec![row]).build();
        b.done(change).await;
    }
    b.done(draft().put_in(key(9), &[(2, 0)]).build()).await;
    for n in 0..3_u8 {
        let found = b.store.list(&b.tenant, owned(n), ALL).await.unwrap();
        assert_eq!(places(&found), [(u64::MAX, key(n.into()))]);
    }
}

pub(in crate::contract) async fn a_page_is_bounded(b: Bench) {
    let mut change = draft();
    for n in 0..1001 {
        change = change.put_in(key(n), &[(1, n)]).event(b"e");
    }
    b.done(change.build()).await;
    let found = page(&b, 1, Page { limit: 5000, ..ALL }).await;
    assert_eq!((found.rows.len(), found.more), (1000, true));
    assert_eq!(page(&b, 1, Page { limit: 0, ..ALL }).await.rows.len(), 1);
    assert_eq!(b.store.events(&b.tenant, Seq(0), 5000).await.unwrap().len(), 1000);
    assert_eq!(b.store.events(&b.tenant, Seq(0), 0).await.unwrap().len(), 1);
}

pub(in crate::contract) async fn events_are_numbered_without_gaps(b: Bench) {
    assert_eq!(b.done(draft().event(b"1").event(b"2").build()).await, [Seq(1), Seq(2)]);
    let refused = draft().expect(key(1), super::Expect::Version(1)).event(b"never").build();
    assert_eq!(b.commit(refused).await, Committed::Conflict(key(1)));
    assert_eq!(b.done(draft().put(key(1), b"").build()).await, []);
    assert_eq!(b.done(draft().event(b"3").build()).await, [Seq(3)]);
    let other = b.store.commit(&tenant("other"), draft().event(b"o").build()).await.unwrap();
    assert_eq!(other, Committed::Done(vec![Seq(1)]));
    let events = b.store.events(&b.tenant, Seq(0), 10).await.unwrap();
    let found: Vec<_> = events.iter().map(|e| (e.seq.0, e.body.as_slice())).collect();
    assert_eq!(found, [(1, b"1".as_slice()), (2, b"2"), (3, b"3")]);
}

pub(in crate::contract) async fn events_come_in_pages(b: Bench) {
    for n in 0..5_u8 {
        b.done(draft().event(&[n]).build()).await;
    }
    let after = async |seq, limit| {
        let events = b.store.events(&b.tenant, Seq(seq), limit).await.unwrap();
        events.iter().map(|e| e.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(after(0, 2).await, [1, 2]);
    assert_eq!(after(2, 2).await, [3, 4]);
    assert_eq!(after(4, 2).await, [5]);
    assert_eq!(after(5, 2).await, [0; 0]);
    assert_eq!(after(u64::MAX, 2).await, [0; 0]);
}

/// List 1 has a record that can't be read and one behind it that can: both are rows, each page goes on behind the other,
/// and only who needs all of it is refused.
pub(in crate::contract) async fn a_row_of_its_own(store: &dyn Store, tenant: &TenantName, bad: Key, good: Key) {
    let list = async |page| store.list(tenant, index(1), page).await.unwrap();
    let all = list(ALL).await;
    let found: Vec<_> = all.rows.iter().map(|(_, key, record)| (*key, record.is_ok())).collect();
    assert_eq!(found, [(bad, false), (good, true)]);
    assert!(matches!(all.whole(), Err(StoreError::Unreadable(why)) if why.contains("kind 1 ")));
    assert_eq!(all.readable().map(|(_, key, _)| key).collect::<Vec<_>>(), [good]);
    let first = list(Page { limit: 1, ..ALL }).await;
    assert_eq!((first.rows.len(), first.more), (1, true));
    let second = list(Page { after: first.end(), ..ALL }).await;
    assert_eq!(second.whole().unwrap().len(), 1);
}
