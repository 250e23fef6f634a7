//! Backup, restore and compaction.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use behalf::{
    adapters::store::embedded::{
        EmbeddedStore, OpenError,
        copy::CopyError,
        maintenance::{ASIDE_FILE, MaintenanceError, backup_offline, compact, restore},
        media::DATA_FILE,
    },
    ports::store::{Key, Page, Seq, Store},
};
use redb::{Database, TableDefinition};

use super::{bench, open, open_with};
use crate::contract::stores::{Bench, draft, index, key, ms, tenant};

const NEW: [u8; 16] = [7; 16];
const ALL: Page = Page { up_to: u64::MAX, after: None, limit: 1000 };

/// A store with something of everything in it.
async fn filled(store: &Arc<EmbeddedStore>, b: &Bench) {
    for n in 0..40_u64 {
        b.done(draft().put(key(n), &vec![1; 60_000]).event(b"e").build()).await;
    }
    b.done(draft().put_in(key(100), &[(1, 5)]).remove(key(3)).event(b"last").build()).await;
    store.lease(&b.tenant, "seal", "one", ms(5)).await.unwrap();
    store.commit(&tenant("b"), draft().put(key(1), b"b's").event(b"e").build()).await.unwrap();
}

async fn content(store: &EmbeddedStore) -> impl PartialEq + std::fmt::Debug + use<> {
    let keys: Vec<Key> = (0..101).map(key).collect();
    let mut all = Vec::new();
    for name in ["acme", "b"] {
        let tenant = tenant(name);
        let records = store.read(&tenant, &keys).await.unwrap().records;
        let mut records: Vec<_> = records.into_iter().collect();
        records.sort_by_key(|(key, _)| *key);
        let rows = store.list(&tenant, index(1), ALL).await.unwrap().rows;
        all.push((records, rows, store.events(&tenant, Seq(0), 1000).await.unwrap()));
    }
    all
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_restored_backup_holds_the_same_under_another_incarnation() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file, elsewhere) = (folder.path().join("data"), folder.path().join("b"), folder.path().join("new/data"));
    let (store, clock) = open(&data);
    let b = bench(&store, &clock);
    filled(&store, &b).await;
    let copied = store.backup(&file).unwrap();
    assert_eq!((copied.records, copied.events), (41, 42));
    assert_eq!(copied.file_bytes, fs::metadata(&file).unwrap().len());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (kept, original) =
        (content(&store).await, store.incarnation(&super::super::stores::tenant("acme")).await.unwrap());
    b.done(draft().remove(key(100)).event(b"after").build()).await;
    let restored = restore(&elsewhere, &file, false, NEW).unwrap();
    assert_eq!((restored.records, restored.events), (41, 42));
    assert_eq!(entries(&elsewhere), [DATA_FILE]);
    assert_eq!(fs::metadata(elsewhere.join(DATA_FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    let copy = open_with(&elsewhere, &clock);
    assert_eq!(content(&copy).await, kept);
    let incarnations = [original, copied.incarnation, restored.incarnation.clone()];
    assert_eq!(copy.incarnation(&super::super::stores::tenant("acme")).await.unwrap(), restored.incarnation);
    assert!(incarnations.iter().all(|one| incarnations.iter().filter(|other| *other == one).count() == 1));
    // Numbers go on behind those of the copy.
    let change = draft().event(b"next").build();
    assert!(
        matches!(copy.commit(&b.tenant, change).await, Ok(behalf::ports::store::Committed::Done(seqs)) if seqs == [Seq(42)])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(&folder.path().join("data"));
    let b = bench(&store, &clock);
    b.done(draft().put(key(1), &0_u64.to_be_bytes()).put(key(2), &0_u64.to_be_bytes()).build()).await;
    let copies: Vec<_> = (0..4).map(|n| folder.path().join(format!("b{n}"))).collect();
    let copying = tokio::task::spawn_blocking({
        let store = Arc::clone(&store);
        move || copies.iter().map(|file| (store.backup(file).unwrap(), file.clone())).collect::<Vec<_>>()
    });
    let mut n = 0_u64;
    while !copying.is_finished() || n < 50 {
        n += 1;
        let body = n.to_be_bytes();
        b.done(draft().put(key(1), &body).put(key(2), &body).event(&body).build()).await;
    }
    for (copied, file) in copying.await.unwrap() {
        let to = file.with_extension("restored");
        restore(&to, &file, false, NEW).unwrap();
        let copy = open_with(&to, &clock);
        let records = copy.read(&b.tenant, &[key(1), key(2)]).await.unwrap();
        let one = &records.get(&key(1)).unwrap().body;
        assert_eq!(one, &records.get(&key(2)).unwrap().body);
        assert_eq!(one.as_slice(), copied.events.to_be_bytes());
    }
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("b"));
    let (store, clock) = open(&data);
    filled(&store, &bench(&store, &clock)).await;
    fs::write(&file, "precious").unwrap();
    let refused = store.backup(&file);
    assert!(matches!(refused, Err(MaintenanceError::Copy(CopyError::Exists(_)))), "{refused:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    let refused = store.backup(&data.join(DATA_FILE));
    assert!(matches!(refused, Err(MaintenanceError::Copy(CopyError::Exists(_)))), "{refused:?}");
    let refused = store.backup(&folder.path().join("nowhere/b"));
    assert!(matches!(refused, Err(MaintenanceError::Copy(CopyError::Write(..)))), "{refused:?}");
    let refused = backup_offline(&data, &folder.path().join("c"));
    assert!(matches!(refused, Err(MaintenanceError::Open(OpenError::InUse(_)))), "{refused:?}");
    let full = store.backup(Path::new("/dev/full/b"));
    assert!(full.is_err());
    assert_eq!(entries(folder.path()), ["b", "data"]);
    store.close();
    assert!(store.backup(&folder.path().join("c")).is_err());
    assert_eq!(backup_offline(&data, &folder.path().join("c")).unwrap().records, 41);
}

#[tokio::test]
async fn data_that_is_there_is_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("b"));
    let (store, clock) = open(&data);
    let b = bench(&store, &clock);
    filled(&store, &b).await;
    store.backup(&file).unwrap();
    b.done(draft().put(key(1), b"newer").build()).await;
    let in_use = restore(&data, &file, true, NEW);
    assert!(matches!(in_use, Err(MaintenanceError::Open(OpenError::InUse(_)))), "{in_use:?}");
    // Still its own: the lock wasn't lost by looking.
    b.done(draft().put(key(1), b"newest").build()).await;
    drop(b);
    drop(store);
    let unforced = restore(&data, &file, false, NEW);
    assert!(matches!(unforced, Err(MaintenanceError::HasData(_))), "{unforced:?}");
    restore(&data, &file, true, NEW).unwrap();
    assert_eq!(entries(&data), [DATA_FILE, ASIDE_FILE]);
    assert_eq!(
        open_with(&data, &clock).read(&tenant("acme"), &[key(1)]).await.unwrap().records[&key(1)].body.len(),
        60_000
    );
    let again = restore(&data, &file, true, NEW);
    assert!(matches!(again, Err(MaintenanceError::LeftOver(_))), "{again:?}");
    // What was kept is whole.
    fs::remove_file(data.join(DATA_FILE)).unwrap();
    fs::rename(data.join(ASIDE_FILE), data.join(DATA_FILE)).unwrap();
    assert_eq!(
        open_with(&data, &clock).read(&tenant("acme"), &[key(1)]).await.unwrap().records[&key(1)].body,
        b"newest"
    );
}

#[tokio::test]
async fn what_is_no_finished_backup_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (data, to) = (folder.path().join("data"), folder.path().join("to"));
    let (store, clock) = open(&data);
    filled(&store, &bench(&store, &clock)).await;
    let path = |name: &str| folder.path().join(name);
    store.backup(&path("cut")).unwrap();
    let half = fs::metadata(path("cut")).unwrap().len() / 2;
    OpenOptions::new().write(true).open(path("cut")).unwrap().set_len(half).unwrap();
    fs::write(path("text"), "no database").unwrap();
    // As a live file is, copied by hand.
    fs::copy(data.join(DATA_FILE), path("live")).unwrap();
    let other = Database::create(path("other")).unwrap();
    let txn = other.begin_write().unwrap();
    txn.open_table(TableDefinition::<&str, u64>::new("strange")).unwrap();
    txn.commit().unwrap();
    drop(other);
    let empty = Database::create(path("empty")).unwrap();
    empty.begin_write().unwrap().commit().unwrap();
    drop(empty);
    for name in ["cut", "text", "live", "other", "empty", "missing"] {
        let refused = restore(&to, &path(name), false, NEW);
        assert!(matches!(refused, Err(MaintenanceError::Copy(CopyError::Read(..)))), "{name}: {refused:?}");
        assert!(!to.exists() || entries(&to).is_empty(), "{name} left something behind");
    }
}

#[tokio::test]
async fn a_compacted_store_is_smaller_and_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(folder.path());
    let b = bench(&store, &clock);
    filled(&store, &b).await;
    for n in 0..30 {
        b.done(draft().remove(key(n)).build()).await;
    }
    let (kept, incarnation) =
        (content(&store).await, store.incarnation(&super::super::stores::tenant("acme")).await.unwrap());
    let refused = compact(folder.path());
    assert!(matches!(refused, Err(MaintenanceError::Open(OpenError::InUse(_)))), "{refused:?}");
    drop(b);
    drop(store);
    let done = compact(folder.path()).unwrap();
    assert!(done.bytes_after < done.bytes_before, "{done:?}");
    assert_eq!(done.bytes_after, fs::metadata(folder.path().join(DATA_FILE)).unwrap().len());
    let store = open_with(folder.path(), &clock);
    assert_eq!(
        (content(&store).await, store.incarnation(&super::super::stores::tenant("acme")).await.unwrap()),
        (kept, incarnation)
    );
    let nowhere = compact(&folder.path().join("nowhere"));
    assert!(matches!(nowhere, Err(MaintenanceError::Open(OpenError::Io(..)))), "{nowhere:?}");
    assert!(!folder.path().join("nowhere").exists());
}
