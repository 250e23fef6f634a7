//! Time, and what depends on it.

use behalf::ports::store::{Committed, Seq};

use super::{Bench, draft, key, ms, tenant};

pub(in crate::contract) async fn a_late_change_is_not_applied(b: Bench) {
    let end = b.now().await + ms(10);
    let change = |n| draft().not_after(end).put(key(n), b"a").event(b"e").build();
    b.time.advance(ms(9));
    b.done(change(1)).await;
    b.time.advance(ms(1));
    assert_eq!(b.commit(change(2)).await, Committed::Late);
    b.time.advance(ms(1));
    assert_eq!(b.commit(change(3)).await, Committed::Late);
    assert!(b.get(key(2)).await.is_none());
    assert!(b.get(key(3)).await.is_none());
    assert_eq!(b.store.events(&b.tenant, Seq(0), 10).await.unwrap().len(), 1);
}

pub(in crate::contract) async fn late_is_said_again(b: Bench) {
    let change = draft().not_after(b.now().await).put(key(1), b"a").build();
    assert_eq!(b.commit(change.clone()).await, Committed::Late);
    assert_eq!(b.commit(change).await, Committed::Late);
    assert!(b.get(key(1)).await.is_none());
    // A change that was in time stays done when it comes again too late.
    let change = draft().not_after(b.now().await + ms(5)).event(b"e").build();
    b.done(change.clone()).await;
    b.time.advance(ms(6));
    assert_eq!(b.commit(change).await, Committed::Done(vec![Seq(1)]));
}

pub(in crate::contract) async fn time_never_runs_back(b: Bench) {
    b.time.advance(ms(60_000));
    let shown = b.now().await;
    b.time.advance(ms(-30_000));
    assert_eq!(b.now().await, shown);
    b.done(draft().put(key(1), b"a").build()).await;
    assert_eq!(b.now().await, shown);
    let late = draft().not_after(shown).event(b"e").build();
    assert_eq!(b.commit(late).await, Committed::Late);
    b.time.advance(ms(30_001));
    assert_eq!(b.now().await, shown + ms(30_001), "it goes on, though the clock is behind");
}

pub(in crate::contract) async fn past_live_until_a_record_is_read(b: Bench) {
    let end = b.now().await + ms(1);
    let both = |put: &mut super::Put| (put.live_until, put.drop_at) = (Some(end), Some(end));
    b.done(draft().put_as(key(1), b"a", both).build()).await;
    b.time.advance(ms(86_400_000));
    assert_eq!(b.get(key(1)).await.unwrap().body, b"a");
}

pub(in crate::contract) async fn one_holds_a_lease(b: Bench) {
    let until = b.now().await + ms(1000);
    let held = b.store.lease(&b.tenant, "seal", "one", ms(1000)).await.unwrap().unwrap();
    assert_eq!(held.until, until);
    assert!(b.store.lease(&b.tenant, "seal", "two", ms(1000)).await.unwrap().is_none());
    b.time.advance(ms(999));
    assert!(b.store.lease(&b.tenant, "seal", "two", ms(1000)).await.unwrap().is_none());
    assert!(b.store.lease(&b.tenant, "reap", "two", ms(1000)).await.unwrap().is_some());
}

pub(in crate::contract) async fn a_renewed_lease_keeps_its_token(b: Bench) {
    let first = b.store.lease(&b.tenant, "seal", "one", ms(1000)).await.unwrap().unwrap();
    b.time.advance(ms(600));
    let second = b.store.lease(&b.tenant, "seal", "one", ms(1000)).await.unwrap().unwrap();
    assert_eq!(second.token, first.token);
    assert_eq!(second.until, b.now().await + ms(1000));
    b.time.advance(ms(600));
    assert!(b.store.lease(&b.tenant, "seal", "two", ms(1000)).await.unwrap().is_none());
}

pub(in crate::contract) async fn a_lease_that_ran_out_is_taken_over(b: Bench) {
    let mut last = 0;
    for holder in ["one", "two", "one", "three"] {
        let lease = b.store.lease(&b.tenant, "seal", holder, ms(1000)).await.unwrap().unwrap();
        assert!(lease.token > last, "{} after {last}", lease.token);
        last = lease.token;
        b.time.advance(ms(1000));
    }
}

pub(in crate::contract) async fn a_fence_guards_a_change(b: Bench) {
    let fenced = |token| draft().fence("seal", token).put(key(1), b"a").event(b"e").build();
    assert_eq!(b.commit(fenced(1)).await, Committed::Fenced);
    let first = b.store.lease(&b.tenant, "seal", "one", ms(1000)).await.unwrap().unwrap();
    assert_eq!(b.commit(fenced(first.token + 1)).await, Committed::Fenced);
    b.time.advance(ms(999));
    b.done(fenced(first.token)).await;
    b.time.advance(ms(1));
    assert_eq!(b.commit(fenced(first.token)).await, Committed::Fenced);
    let second = b.store.lease(&b.tenant, "seal", "two", ms(1000)).await.unwrap().unwrap();
    assert_eq!(b.commit(fenced(first.token)).await, Committed::Fenced);
    b.done(fenced(second.token)).await;
    assert_eq!(b.store.events(&b.tenant, Seq(0), 10).await.unwrap().len(), 2);
}

pub(in crate::contract) async fn leases_are_a_tenants_own(b: Bench) {
    let first = b.store.lease(&b.tenant, "seal", "one", ms(1000)).await.unwrap().unwrap();
    assert!(b.store.lease(&tenant("other"), "seal", "two", ms(1000)).await.unwrap().is_some());
    b.done(draft().fence("seal", first.token).event(b"e").build()).await;
}
