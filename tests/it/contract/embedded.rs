//! What only the embedded store promises.

use std::{path::Path, sync::Arc};

use behalf::{
    adapters::store::embedded::{EmbeddedStore, Place, Settings},
    ports::{clock::ManualClock, entropy::SeededEntropy, store::Store},
};

use super::stores::start;

mod admin;
mod damage;
mod faults;
mod files;
mod maintenance;
mod model;
mod rig;

/// A store in this folder, and its clock.
fn open(folder: &Path) -> (Arc<EmbeddedStore>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(start()));
    (Arc::new(open_with(folder, &clock)), clock)
}

fn open_with(folder: &Path, clock: &Arc<ManualClock>) -> EmbeddedStore {
    let settings = Settings::new(Place::Folder(folder.to_owned()));
    EmbeddedStore::open(&settings, Arc::<ManualClock>::clone(clock), &SeededEntropy::default()).unwrap()
}

/// The store as the tests of the contract see it.
fn bench(store: &Arc<EmbeddedStore>, clock: &Arc<ManualClock>) -> super::stores::Bench {
    let port: Arc<dyn Store> = Arc::<EmbeddedStore>::clone(store);
    super::stores::Bench::new((port, Arc::<ManualClock>::clone(clock), Box::new(())))
}
