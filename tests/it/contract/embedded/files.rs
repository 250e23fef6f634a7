//! The data folder: modes, locking, and what a re-opened store still knows.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use behalf::{
    adapters::store::embedded::{EmbeddedStore, OpenError, Place, Settings, media::DATA_FILE, moving::UNFINISHED_FILE},
    ports::{
        clock::ManualClock,
        entropy::SeededEntropy,
        store::{Expect, Page, Seq, Store},
    },
};

use super::{bench, open, open_with};
use crate::contract::stores::{draft, index, key, ms, start, tenant};

const ALL: Page = Page { up_to: u64::MAX, after: None, limit: 10 };

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_store_opened_again_knows_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(folder.path());
    let b = bench(&store, &clock);
    let record = draft()
        .put_in(key(1), &[(1, 5)])
        .put_as(key(2), b"two", |put| put.live_until = Some(start() + ms(9)))
        .put(key(3), b"dropped");
    b.done(record.event(b"first").build()).await;
    let dropped = b.version(key(3)).await;
    b.done(draft().remove(key(3)).build()).await;
    let lease = store.lease(&b.tenant, "seal", "one", ms(60_000)).await.unwrap().unwrap();
    let before = store.read(&b.tenant, &[key(1), key(2)]).await.unwrap();
    let incarnation = store.incarnation(&super::super::stores::tenant("acme")).await.unwrap();
    clock.advance(ms(30_000));
    let shown = b.now().await;
    drop(b);
    drop(store);

    // The clock is an hour behind now. The last time was shown by a read only.
    clock.advance(ms(-3_600_000));
    let store = Arc::new(open_with(folder.path(), &clock));
    let b = bench(&store, &clock);
    assert_eq!(b.now().await, shown);
    assert_eq!(store.incarnation(&super::super::stores::tenant("acme")).await.unwrap(), incarnation);
    assert_eq!(store.read(&b.tenant, &[key(1), key(2), key(3)]).await.unwrap().records, before.records);
    assert_eq!(store.list(&b.tenant, index(1), ALL).await.unwrap().rows.len(), 1);
    assert!(store.lease(&b.tenant, "seal", "two", ms(1)).await.unwrap().is_none());
    b.done(draft().fence("seal", lease.token).event(b"second").build()).await;
    let events = store.events(&b.tenant, Seq(0), 10).await.unwrap();
    assert_eq!(events.iter().map(|e| e.body.as_slice()).collect::<Vec<_>>(), [b"first".as_slice(), b"second"]);
    b.done(draft().expect(key(3), Expect::Absent).put(key(3), b"anew").build()).await;
    assert!(b.version(key(3)).await > dropped);
}

#[tokio::test]
async fn a_second_store_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(folder.path());
    let b = bench(&store, &clock);
    let settings = Settings::new(Place::Folder(folder.path().to_owned()));
    let second = EmbeddedStore::open(&settings, Arc::<ManualClock>::clone(&clock), &SeededEntropy::default());
    let Err(error) = second else { panic!("two stores on the same data") };
    assert!(matches!(error, OpenError::InUse(_)));
    let text = error.to_string();
    assert!(text.contains(&folder.path().display().to_string()) && text.contains("in use"), "{text}");
    b.done(draft().put(key(1), b"unharmed").build()).await;
    store.close();
    open_with(folder.path(), &clock).close();
}

#[tokio::test]
async fn folder_and_file_are_the_owners_own() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new/data");
    let (store, clock) = open(&folder);
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join(DATA_FILE)), 0o600);
    store.close();
    fs::set_permissions(folder.join(DATA_FILE), Permissions::from_mode(0o644)).unwrap();
    open_with(&folder, &clock).close();
    assert_eq!(mode(&folder.join(DATA_FILE)), 0o600);
}

#[tokio::test]
async fn a_folder_that_can_not_be_made_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let settings = Settings::new(Place::Folder(file.join("data")));
    let clock = Arc::new(ManualClock::at(start()));
    let Err(error) = EmbeddedStore::open(&settings, clock, &SeededEntropy::default()) else {
        panic!("opened a folder below a file")
    };
    assert!(matches!(error, OpenError::Io(..)));
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}

#[tokio::test]
async fn another_database_has_another_incarnation() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let entropy = SeededEntropy::default();
    let mut names = Vec::new();
    for folder in &folders {
        let settings = Settings::new(Place::Folder(folder.path().to_owned()));
        let clock = Arc::new(ManualClock::at(start()));
        names.push(
            EmbeddedStore::open(&settings, clock, &entropy)
                .unwrap()
                .incarnation(&super::super::stores::tenant("acme"))
                .await
                .unwrap(),
        );
    }
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn the_offset_moves_every_tenants_time() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(folder.path());
    let b = bench(&store, &clock);
    assert_eq!(b.now().await, start());
    store.set_clock_offset(ms(5_000));
    assert_eq!(b.now().await, start() + ms(5_000));
    assert_eq!(store.read(&tenant("other"), &[]).await.unwrap().now, start() + ms(5_000));
    store.set_clock_offset(ms(0));
    assert_eq!(b.now().await, start() + ms(5_000));
}

#[tokio::test]
async fn a_store_that_was_never_closed_is_repaired() {
    let (live, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, clock) = open(live.path());
    let b = bench(&store, &clock);
    for n in 0..50 {
        b.done(draft().put_in(key(n), &[(1, n)]).event(b"e").build()).await;
    }
    // What a killed process leaves: the file as it is while the store is open.
    fs::copy(live.path().join(DATA_FILE), copy.path().join(DATA_FILE)).unwrap();
    let left = Arc::new(open_with(copy.path(), &clock));
    let after = bench(&left, &clock);
    let keys: Vec<_> = (0..50).map(key).collect();
    let expected = store.read(&b.tenant, &keys).await.unwrap().records;
    assert_eq!(left.read(&b.tenant, &keys).await.unwrap().records, expected);
    assert_eq!(expected.len(), 50);
    assert_eq!(after.done(draft().event(b"next").build()).await, [Seq(51)]);
}

#[test]
fn the_beginning_of_a_copy_is_no_data() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(UNFINISHED_FILE), b"").unwrap();
    let settings = Settings::new(Place::Folder(folder.path().to_owned()));
    let clock = Arc::new(ManualClock::at(start()));
    let opened = EmbeddedStore::open(&settings, clock, &SeededEntropy::default());
    assert!(matches!(opened, Err(OpenError::Unfinished(..))));
    assert!(!folder.path().join(DATA_FILE).exists());
}
