//! The store's contract, as tests over any adapter: `store_contract!(name, make)`.
//!
//! `make` is an async function that gives an empty store, what moves its time (which stands still otherwise), and
//! something to keep until the test ends.

use std::{
    any::Any,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use behalf::{
    adapters::store::{
        embedded::{EmbeddedStore, Place, Settings},
        timed::Timed,
    },
    domain::ids::{RecordId, TenantName},
    metrics::Metrics,
    ports::{
        clock::ManualClock,
        entropy::SeededEntropy,
        store::{Change, ChangeId, Committed, Expect, Fence, Index, IndexRow, Key, Kind, Put, Record, Seq, Store},
    },
};
use jiff::{SignedDuration, Timestamp};

pub(in crate::contract) mod changes;
pub(in crate::contract) mod forgets;
pub(in crate::contract) mod lists;
pub(in crate::contract) mod parallel;
pub(in crate::contract) mod times;

/// Moves the time of the store under test.
pub(super) trait StoreTime: Send + Sync {
    /// Forth, and back with a negative duration.
    fn advance(&self, by: SignedDuration);
}

impl StoreTime for ManualClock {
    fn advance(&self, by: SignedDuration) {
        Self::advance(self, by);
    }
}

/// What `make` gives.
pub(super) type Made = (Arc<dyn Store>, Arc<dyn StoreTime>, Box<dyn Any + Send>);

/// A store under test.
pub(super) struct Bench {
    pub(super) store: Arc<dyn Store>,
    pub(super) time: Arc<dyn StoreTime>,
    pub(super) tenant: TenantName,
    _guard: Box<dyn Any + Send>,
}

impl Bench {
    pub(super) fn new((store, time, guard): Made) -> Self {
        Self { store, time, tenant: tenant("acme"), _guard: guard }
    }

    pub(super) async fn commit(&self, change: Change) -> Committed {
        self.store.commit(&self.tenant, change).await.unwrap()
    }

    /// Commits what must succeed.
    pub(super) async fn done(&self, change: Change) -> Vec<Seq> {
        match self.commit(change).await {
            Committed::Done(numbers) => numbers,
            other => panic!("expected Done, got {other:?}"),
        }
    }

    pub(super) async fn get(&self, key: Key) -> Option<Record> {
        self.store.read(&self.tenant, &[key]).await.unwrap().get(&key).cloned()
    }

    pub(super) async fn version(&self, key: Key) -> u64 {
        self.get(key).await.unwrap().version
    }

    pub(super) async fn now(&self) -> Timestamp {
        self.store.read(&self.tenant, &[]).await.unwrap().now
    }
}

pub(crate) fn tenant(name: &str) -> TenantName {
    TenantName::parse(name).unwrap()
}

pub(crate) fn key(n: u64) -> Key {
    Key { kind: Kind(1), id: RecordId { time: n, hash: [0; 32] } }
}

pub(crate) fn index(list: u8) -> Index {
    Index { list, owner: [0; 32] }
}

pub(super) fn ms(n: i64) -> SignedDuration {
    SignedDuration::from_millis(n)
}

static ATTEMPT: AtomicU64 = AtomicU64::new(1);

/// Builds changes, each with an id of its own and no haste.
#[derive(Clone)]
pub(crate) struct Draft(pub(super) Change);

pub(crate) fn draft() -> Draft {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&ATTEMPT.fetch_add(1, Ordering::SeqCst).to_be_bytes());
    Draft(Change::new(ChangeId(id), Timestamp::MAX))
}

impl Draft {
    pub(crate) fn expect(mut self, key: Key, expect: Expect) -> Self {
        self.0.expect.push((key, expect));
        self
    }

    pub(crate) fn put(self, key: Key, body: &[u8]) -> Self {
        self.put_as(key, body, |_| {})
    }

    /// A put with times or index rows.
    pub(crate) fn put_as(mut self, key: Key, body: &[u8], more: impl FnOnce(&mut Put)) -> Self {
        let mut put = Put { key, body: body.to_vec(), live_until: None, drop_at: None, indexes: Vec::new() };
        more(&mut put);
        self.0.puts.push(put);
        self
    }

    /// A put under these rows: list, sort.
    pub(crate) fn put_in(self, key: Key, rows: &[(u8, u64)]) -> Self {
        let rows = rows.iter().map(|(list, sort)| IndexRow { index: index(*list), sort: *sort }).collect();
        self.put_as(key, b"listed", |put| put.indexes = rows)
    }

    pub(crate) fn remove(mut self, key: Key) -> Self {
        self.0.drops.push(key);
        self
    }

    pub(crate) fn event(mut self, body: &[u8]) -> Self {
        self.0.events.push(body.to_vec());
        self
    }

    pub(crate) fn forget(mut self, up_to: u64) -> Self {
        self.0.forget = Some(Seq(up_to));
        self
    }

    pub(crate) fn fence(mut self, lease: &str, token: u64) -> Self {
        self.0.fence = Some(Fence { lease: lease.to_owned(), token });
        self
    }

    pub(crate) fn not_after(mut self, at: Timestamp) -> Self {
        self.0.not_after = at;
        self
    }

    pub(crate) fn build(self) -> Change {
        self.0
    }
}

/// What must happen soon.
pub(super) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what).await.unwrap()
}

/// Runs every case of the contract over one adapter: each as a test of its own, or, where a store can't be had so
/// often, one after the other (`store_contract!(one_by_one name, make)`).
macro_rules! store_contract {
    ($name:ident, $make:path) => {
        mod $name {
            $crate::contract::stores::contract_cases! { each $make; }
        }
    };
    (one_by_one $name:ident, $make:path) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $crate::contract::stores::contract_cases! { in_turn $make; }
        }
    };
}
pub(crate) use store_contract;

macro_rules! contract_cases {
    ($how:ident $make:path;) => {
        $crate::contract::stores::contract_cases! { @$how $make;
                changes::absent_means_no_record,
                changes::a_version_must_be_the_present_one,
                changes::version_live_ends_at_live_until,
                changes::a_record_is_kept_as_it_was_given,
                changes::all_or_nothing,
                changes::the_first_conflict_is_named,
                changes::expectations_see_the_state_before_the_change,
                changes::versions_are_never_used_again,
                changes::dropping_nothing_is_no_error,
                changes::an_attempt_counts_once,
                changes::an_attempt_that_failed_stays_failed,
                changes::bodies_are_bounded,
                changes::a_record_is_written_once_in_a_change,
                changes::tenants_do_not_see_each_other,
                changes::hints_follow_commits,
                changes::the_incarnation_stays,
                forgets::old_events_are_dropped_and_the_numbers_go_on,
                forgets::dropping_is_part_of_the_change,
                forgets::what_is_not_there_yet_can_not_be_dropped,
                forgets::a_change_drops_a_bounded_number,
                forgets::a_tenant_drops_its_own,
                lists::rows_come_in_order,
                lists::pages_continue,
                lists::up_to_is_inclusive,
                lists::a_put_replaces_the_rows,
                lists::a_record_has_sixteen_rows_and_no_more,
                lists::a_drop_takes_the_rows,
                lists::owners_and_lists_are_apart,
                lists::a_page_is_bounded,
                lists::events_are_numbered_without_gaps,
                lists::events_come_in_pages,
                times::a_late_change_is_not_applied,
                times::late_is_said_again,
                times::time_never_runs_back,
                times::past_live_until_a_record_is_read,
                times::one_holds_a_lease,
                times::a_renewed_lease_keeps_its_token,
                times::a_lease_that_ran_out_is_taken_over,
                times::a_fence_guards_a_change,
                times::leases_are_a_tenants_own,
                parallel::one_of_many_wins,
                parallel::numbers_have_no_gaps_under_load,
                parallel::no_reader_sees_half_a_change,
                parallel::a_commit_is_seen_by_the_next_read,
                parallel::the_same_attempt_at_once_counts_once,
        }
    };
    (@each $make:path; $($room:ident::$case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                use $crate::contract::stores;
                stores::$room::$case(stores::Bench::new($make().await)).await;
            }
        )*
    };
    (@in_turn $make:path; $($room:ident::$case:ident,)*) => {
        use $crate::contract::stores;
        $(
            // Shown only if the test fails: which case it was.
            println!("{}", stringify!($case));
            stores::$room::$case(stores::Bench::new($make().await)).await;
        )*
    };
}
pub(crate) use contract_cases;

/// A time to start from.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000).unwrap()
}

fn embedded(place: Place, guard: Box<dyn Any + Send>) -> Made {
    let clock = Arc::new(ManualClock::at(start()));
    let store =
        EmbeddedStore::open(&Settings::new(place), Arc::<ManualClock>::clone(&clock), &SeededEntropy::default());
    (Arc::new(store.unwrap()), clock, guard)
}

async fn in_memory() -> Made {
    embedded(Place::Memory, Box::new(()))
}

async fn timed() -> Made {
    let (store, time, guard) = in_memory().await;
    (Arc::new(Timed::new(store, Arc::new(Metrics::default()))), time, guard)
}

async fn in_a_folder() -> Made {
    let folder = tempfile::tempdir().unwrap();
    embedded(Place::Folder(folder.path().join("data")), Box::new(folder))
}

store_contract!(memory, crate::contract::stores::in_memory);
store_contract!(folder, crate::contract::stores::in_a_folder);
store_contract!(measured, crate::contract::stores::timed);
