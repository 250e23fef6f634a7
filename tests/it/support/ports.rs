//! Ports that nobody gets by chance.

use std::{
    net::TcpListener,
    process,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// Below what the system gives to whoever asks for any port, so that a server that was killed finds its own again.
/// The bus of a cluster's node is 10000 higher, still below.
const FIRST: u32 = 11_000;
const COUNT: u32 = 10_000;
const BUS: u16 = 10_000;

/// One that was free a moment ago, with the one for a cluster's bus. It isn't given again for a long time.
pub(crate) fn free() -> u16 {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    // Test processes that run at the same time begin at different places.
    let next = NEXT.get_or_init(|| AtomicU32::new(process::id().wrapping_mul(397) % COUNT));
    let open = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (0..COUNT)
        .filter_map(|_| u16::try_from(FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT).ok())
        .find(|port| open(*port) && open(*port + BUS))
        .unwrap()
}
