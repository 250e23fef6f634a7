//! Makes a sealed audit trail of many entries, to measure what reads it.
//!
//! ```sh
//! cargo run --release --example trail -- 1000000 /tmp/trail
//! /usr/bin/time -v target/release/behalf audit verify --data /tmp/trail
//! ```

use std::{error::Error, io::Write as _, path::PathBuf, sync::Arc};

use behalf::{
    adapters::{
        audit::signing::SigningKey,
        store::embedded::{EmbeddedStore, Place, Settings},
        system::{OsEntropy, SystemClock},
    },
    app::{Services, records, sealer::Sealer},
    domain::{
        audit::{Actor, Code, Event},
        delegation::Party,
        ids::{Login, TenantName, UserId},
    },
    ports::store::{Change, Committed},
};
use jiff::SignedDuration;

type Fault = Box<dyn Error + Send + Sync>;

/// Events of one commit.
const CHUNK: u64 = 1000;

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let mut args = std::env::args().skip(1);
    let (Some(count), Some(folder)) = (args.next(), args.next().map(PathBuf::from)) else {
        return Err("usage: trail <entries> <folder>".into());
    };
    let count: u64 = count.parse()?;
    let store = EmbeddedStore::open(&Settings::new(Place::Folder(folder.clone())), Arc::new(SystemClock), &OsEntropy)?;
    let (tenant, key) = (TenantName::default_tenant(), Arc::new(SigningKey::load_or_make(&folder, &OsEntropy)?));
    let signer = Arc::clone(&key) as _;
    let services = Services::new(Arc::new(store), Arc::new(SystemClock), Arc::new(OsEntropy), signer, [].into());
    let sealer = Sealer::new(key, None, &OsEntropy);
    sealer.announce(&services, &tenant).await?;
    let mut written = 0;
    while written < count {
        let last = count.min(written + CHUNK);
        write(&services, &tenant, written..last).await?;
        written = last;
    }
    while sealer.pass(&services, &tenant).await?.more {}
    writeln!(std::io::stdout(), "{count} entries in {}", folder.display())?;
    Ok(())
}

async fn write(services: &Services, tenant: &TenantName, numbers: std::ops::Range<u64>) -> Result<(), Fault> {
    let now = services.store.read(tenant, &[]).await?.now;
    let events = numbers.map(|number| event(services, tenant, number, now)).collect::<Result<Vec<_>, _>>()?;
    let change = Change {
        events: records::encode_events(&events)?,
        ..Change::new(services.change_id(), now + SignedDuration::from_mins(10))
    };
    match services.store.commit(tenant, change).await? {
        Committed::Done(_) => Ok(()),
        other => Err(format!("the events could not be written: {other:?}").into()),
    }
}

/// Of the size of a granted hook's.
fn event(services: &Services, tenant: &TenantName, number: u64, now: jiff::Timestamp) -> Result<Event, Fault> {
    let party = |id: String| -> Result<Party, Fault> {
        Ok(Party { login: Login::parse(&format!("{id}@example.test"))?, id: UserId::parse(&id)? })
    };
    let agent = party(format!("00uagent{:06}", number % 1000))?;
    let event = services
        .event(tenant, Code::HookGranted, Actor::user(&agent), now)
        .on_behalf_of(&party(format!("00udelegator{:03}", number % 100))?)
        .on("delegation", &format!("dlr_{number:043}"))
        .through("0oaPaymentsApp")
        .in_request(Some(&format!("{number:032x}")))
        .changed(Some("PENDING"), "CONSUMED")
        .detail("scopes", vec!["openid", "profile", "payments"])
        .detail("grant_type", "refresh_token");
    Ok(event)
}
