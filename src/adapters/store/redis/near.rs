//! A connection for each worker thread, driven by that thread's own runtime: an answer then wakes nobody on another
//! thread, which costs more than the command itself. Threads of a runtime with many share the link's lanes.

use std::{
    cell::RefCell,
    sync::{Arc, Weak},
};

use redis::aio::MultiplexedConnection;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Address, Dial, link};

/// Says that its link is there still.
pub(super) type Alive = Arc<()>;

enum Lane {
    Opening,
    Open(MultiplexedConnection),
    /// It couldn't be opened, or leads to another process: the link's lanes have to do.
    Failed,
}

thread_local! {
    /// Of this thread, by link.
    static LANES: RefCell<Vec<(Weak<()>, Lane)>> = const { RefCell::new(Vec::new()) };
}

/// What a lane is opened with.
pub(super) struct Opening<'a> {
    pub(super) address: &'a Address,
    pub(super) line: &'a str,
    pub(super) dial: &'a Arc<Dial>,
}

/// This thread's lane of the link, if there is one by now. The first call begins to open it.
pub(super) fn lane(link: &Alive, opening: &Opening<'_>) -> Option<MultiplexedConnection> {
    LANES.with_borrow_mut(|lanes| {
        if let Some((_, lane)) = lanes.iter().find(|(of, _)| of.as_ptr() == Arc::as_ptr(link)) {
            return if let Lane::Open(lane) = lane { Some(lane.clone()) } else { None };
        }
        lanes.retain(|(of, _)| of.strong_count() > 0);
        let one_thread = Handle::try_current().is_ok_and(|h| h.runtime_flavor() == RuntimeFlavor::CurrentThread);
        lanes.push((Arc::downgrade(link), if one_thread { Lane::Opening } else { Lane::Failed }));
        if one_thread {
            begin(Arc::downgrade(link), opening);
        }
        None
    })
}

/// This thread's lane didn't answer in time. The link's lanes do from now on, because these are looked after.
pub(super) fn leave(link: &Alive) {
    LANES.with_borrow_mut(|lanes| {
        if let Some((_, lane)) = lanes.iter_mut().find(|(of, _)| of.as_ptr() == Arc::as_ptr(link)) {
            *lane = Lane::Failed;
        }
    });
}

/// The task runs on this very thread: its runtime has no other.
fn begin(of: Weak<()>, opening: &Opening<'_>) {
    let (address, line, dial) = (opening.address.clone(), opening.line.to_owned(), Arc::clone(opening.dial));
    tokio::spawn(async move {
        let opened = link::another_lane(&address, &line, &dial).await.map_or(Lane::Failed, Lane::Open);
        LANES.with_borrow_mut(|lanes| {
            if let Some((_, lane)) = lanes.iter_mut().find(|(other, _)| other.ptr_eq(&of)) {
                *lane = opened;
            }
        });
    });
}
