//! What a commit costs on the embedded store on disk: 64 tasks, each of which reads a delegation and writes it back with
//! an event, in random order.
//!
//! `recent`: among the 10 k youngest of so many records. A service's store is like that: delegations live for a minute,
//! their records for a month. `anywhere`: among all of them, the worst that can happen to pages.
//!
//! `cargo bench --bench commits`; with `BENCH_MILLION=1` over a million records, too (that fills half a GB first).
//! `TMPDIR` says on which disk. Beside the times stands how many commits share a sync, counted at the file.

#![expect(clippy::expect_used, reason = "a benchmark whose parts don't work must stop")]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/data.rs"]
mod data;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use behalf::{
    adapters::{
        store::embedded::{EmbeddedStore, Place, Settings, media::Folder},
        system::{OsEntropy, SystemClock},
    },
    app::records,
    domain::{delegation::Delegation, ids::TenantName},
    ports::{
        entropy,
        store::{Change, ChangeId, Committed, Expect, Key, Store as _},
    },
};
use counting::Counting;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinSet, time::Instant};

const ISSUER: &str = "https://login.example.test/oauth2/payments";
const TASKS: usize = 64;
/// As many are recent.
const RECENT: usize = 10_000;

/// Which delegations are written.
#[derive(Clone, Copy)]
enum Reach {
    Recent,
    Anywhere,
}

/// A filled store on disk.
struct Bench {
    store: EmbeddedStore,
    /// In a random order, the same in each run.
    recent: Vec<(Key, usize)>,
    anywhere: Vec<(Key, usize)>,
    /// How far the walk over the keys has come.
    next: AtomicUsize,
    syncs: Arc<AtomicU64>,
    commits: AtomicU64,
    _folder: TempDir,
}

impl Bench {
    fn new(runtime: &Runtime, count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (syncs, settings) = (Arc::new(AtomicU64::new(0)), Settings::new(Place::Memory));
        let media = Counting { folder: Folder::new(folder.path().join("data")), syncs: Arc::clone(&syncs) };
        let store = EmbeddedStore::open_on(Arc::new(media), &settings, Arc::new(SystemClock), &OsEntropy);
        let store = store.expect("a store");
        let waiting = runtime.block_on(data::populate(&store, ISSUER, count)).expect("a filled store");
        let mut anywhere: Vec<_> = waiting.iter().map(|p| (records::delegation_key(p.id.record()), p.agent)).collect();
        let mut recent = anywhere.split_off(anywhere.len().saturating_sub(RECENT));
        anywhere.extend_from_slice(&recent);
        data::shuffle(&mut anywhere);
        data::shuffle(&mut recent);
        let (next, commits) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { store, recent, anywhere, next, syncs, commits, _folder: folder }
    }

    fn keys(&self, reach: Reach) -> &[(Key, usize)] {
        match reach {
            Reach::Recent => &self.recent,
            Reach::Anywhere => &self.anywhere,
        }
    }

    /// One delegation read, and written back with an event.
    async fn once(&self, reach: Reach) {
        let tenant = TenantName::default_tenant();
        let keys = self.keys(reach);
        let (key, agent) = keys[self.next.fetch_add(1, Ordering::Relaxed) % keys.len()];
        let snapshot = self.store.read(&tenant, &[key, records::epoch_key()]).await.expect("a snapshot");
        let record = snapshot.get(&key).expect("a record");
        let delegation: Delegation = records::decode(record).expect("a delegation");
        let change = Change {
            expect: vec![(key, Expect::VersionLive(record.version))],
            puts: vec![records::put_delegation(key, &delegation).expect("a record")],
            events: vec![format!("{:600}", data::agent(agent)).into_bytes()],
            ..Change::new(ChangeId(entropy::bytes(&OsEntropy)), snapshot.now + SignedDuration::from_mins(1))
        };
        let done = self.store.commit(&tenant, change).await.expect("a commit");
        assert!(matches!(done, Committed::Done(_)), "the walk never meets a key twice at a time: {done:?}");
        self.commits.fetch_add(1, Ordering::Relaxed);
    }
}

async fn run(bench: Arc<Bench>, reach: Reach, iterations: u64) -> Duration {
    let left = Arc::new(AtomicU64::new(iterations));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (bench, left) = (Arc::clone(&bench), Arc::clone(&left));
        tasks.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                bench.once(reach).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("a task that ends well");
    }
    started.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark's own switch")]
fn sizes() -> Vec<usize> {
    let million = std::env::var_os("BENCH_MILLION").is_some();
    [10_000, 100_000].into_iter().chain(million.then_some(1_000_000)).collect()
}

#[expect(clippy::print_stdout, reason = "the result")]
fn commits(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("commit");
    group.sample_size(10).measurement_time(Duration::from_secs(5)).throughput(Throughput::Elements(1));
    for count in sizes() {
        let bench = Arc::new(Bench::new(&runtime, count));
        for (name, reach) in [("recent", Reach::Recent), ("anywhere", Reach::Anywhere)] {
            bench.syncs.store(0, Ordering::Relaxed);
            bench.commits.store(0, Ordering::Relaxed);
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter_custom(|iterations| runtime.block_on(run(Arc::clone(&bench), reach, iterations)));
            });
            let (commits, syncs) = (bench.commits.load(Ordering::Relaxed), bench.syncs.load(Ordering::Relaxed));
            println!("{name}/{count}: {commits} commits acknowledged, {syncs} syncs of the file");
        }
    }
    group.finish();
}

criterion_group!(benches, commits);
criterion_main!(benches);
