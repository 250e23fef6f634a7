//! Files that are damaged, foreign, or written by a newer version: an error, never a panic.

use std::{fs, path::Path, sync::Arc};

use behalf::{
    adapters::store::embedded::{EmbeddedStore, OpenError, Place, Settings, media::DATA_FILE},
    ports::{
        clock::ManualClock,
        entropy::SeededEntropy,
        store::{Expect, Key, Page, Seq, StoreError},
    },
};
use redb::{Database, TableDefinition};

use super::{bench, open, open_with};
use crate::contract::stores::{Bench, draft, index, key, lists::a_row_of_its_own, soon, start};

const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

fn try_open(folder: &Path) -> Result<EmbeddedStore, OpenError> {
    let clock = Arc::new(ManualClock::at(start()));
    EmbeddedStore::open(&Settings::new(Place::Folder(folder.to_owned())), clock, &SeededEntropy::default())
}

fn unreadable(folder: &Path) -> String {
    match try_open(folder) {
        Err(error @ OpenError::Unreadable(..)) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened"),
    }
}

/// Writes bytes where a record is.
fn forge(folder: &Path, key: Key, bytes: &[u8]) {
    let database = Database::open(folder.join(DATA_FILE)).unwrap();
    let txn = database.begin_write().unwrap();
    let mut name = b"acme\0".to_vec();
    name.extend_from_slice(&key.to_bytes());
    txn.open_table(RECORDS).unwrap().insert(name.as_slice(), bytes).unwrap();
    txn.commit().unwrap();
}

async fn refuses_only(b: &Bench, bad: Key) {
    let is_unreadable = |error| matches!(error, StoreError::Unreadable(_));
    assert!(is_unreadable(b.store.read(&b.tenant, &[bad]).await.unwrap_err()));
    a_row_of_its_own(&*b.store, &b.tenant, bad, key(2)).await;
    for change in [
        draft().put(key(7), b"a").put(bad, b"b"),
        draft().put(key(7), b"a").remove(bad),
        draft().put(key(7), b"a").expect(bad, Expect::Version(1)),
        draft().put(key(7), b"a").expect(bad, Expect::Absent),
    ] {
        let other = draft().put(key(8), b"fine").build();
        let (bad, fine) = tokio::join!(b.store.commit(&b.tenant, change.build()), b.store.commit(&b.tenant, other));
        assert!(is_unreadable(bad.unwrap_err()));
        fine.unwrap();
    }
    assert!(b.get(key(7)).await.is_none());
    assert_eq!(b.get(key(8)).await.unwrap().body, b"fine");
}

#[tokio::test]
async fn an_unreadable_record_is_only_its_own_trouble() {
    for bytes in [b"\x02newer".as_slice(), b"", b"\x01short"] {
        let folder = tempfile::tempdir().unwrap();
        let (store, clock) = open(folder.path());
        let b = bench(&store, &clock);
        b.done(draft().put_in(key(1), &[(1, 1)]).put_in(key(2), &[(1, 2)]).build()).await;
        drop(b);
        drop(store);
        forge(folder.path(), key(1), bytes);
        let store = Arc::new(open_with(folder.path(), &clock));
        let b = bench(&store, &clock);
        refuses_only(&b, key(1)).await;
        assert_eq!(b.get(key(2)).await.unwrap().body, b"listed");
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).0.close();
    let database = Database::open(folder.path().join(DATA_FILE)).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(META).unwrap().insert(".store", [9; 25].as_slice()).unwrap();
    txn.commit().unwrap();
    drop(database);
    let text = unreadable(folder.path());
    assert!(text.contains("format 9") && text.contains(&folder.path().display().to_string()), "{text}");
}

#[tokio::test]
async fn another_programs_database_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let other: TableDefinition<u64, u64> = TableDefinition::new("theirs");
    let database = Database::create(folder.path().join(DATA_FILE)).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(other).unwrap().insert(1, 2).unwrap();
    txn.commit().unwrap();
    drop(database);
    unreadable(folder.path());
    let database = Database::open(folder.path().join(DATA_FILE)).unwrap();
    let txn = database.begin_write().unwrap();
    assert_eq!(txn.list_tables().unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_kept() {
    for bytes in [b"x".to_vec(), vec![0; 100_000], b"not a database at all\n".repeat(5_000)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DATA_FILE), &bytes).unwrap();
        let Err(error) = try_open(folder.path()) else { panic!("opened {} odd bytes", bytes.len()) };
        assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
        assert_eq!(fs::read(folder.path().join(DATA_FILE)).unwrap(), bytes);
    }
}

/// Reads and writes what there is; gives the number of errors. What panics or hangs fails the test.
async fn errors_met(store: EmbeddedStore) -> usize {
    let store = Arc::new(store);
    let b = bench(&store, &Arc::new(ManualClock::at(start())));
    let keys: Vec<_> = (0..40).map(key).collect();
    let page = Page { up_to: u64::MAX, after: None, limit: 1000 };
    let write = draft().put_in(key(3), &[(1, 7)]).event(b"e").build();
    let results = [
        b.store.read(&b.tenant, &keys).await.map(drop),
        b.store.list(&b.tenant, index(1), page).await.map(drop),
        b.store.events(&b.tenant, Seq(0), 1000).await.map(drop),
        soon(b.store.commit(&b.tenant, write)).await.map(drop),
    ];
    results.iter().filter(|result| result.is_err()).count()
}

#[tokio::test]
async fn no_damaged_page_brings_the_process_down() {
    const PAGE: usize = 4096;
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(folder.path());
    let b = bench(&store, &clock);
    for n in 0..40 {
        b.done(draft().put_in(key(n), &[(1, n)]).event(&[1; 100]).build()).await;
    }
    drop(b);
    drop(store);
    let file = folder.path().join(DATA_FILE);
    let good = fs::read(&file).unwrap();
    let (mut refused, mut met) = (0, 0);
    for page in (0..good.len()).step_by(PAGE) {
        let mut bad = good.clone();
        // Where a page says how many entries it has, and where they end.
        bad[page + 2] ^= 0x11;
        bad[page + 5] ^= 0x11;
        fs::write(&file, &bad).unwrap();
        match try_open(folder.path()) {
            Ok(store) => met += errors_met(store).await,
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0 && met > 0, "{refused} refused, {met} errors: the damage hit nothing");
}
