//! Many open approvals in an embedded store: what a page of them takes, and what it takes to ask for one more.
//!
//! ```sh
//! cargo run --release --example approvals -- 100000
//! ```

use std::{collections::BTreeSet, error::Error, io::Write as _, path::PathBuf, sync::Arc, time::Duration};

use behalf::{
    adapters::{
        store::embedded::{EmbeddedStore, Place, Settings},
        system::{OsEntropy, SystemClock},
    },
    app::approvals::records::{self, Roster},
    domain::{
        approval::{
            Approval, ApprovalId, Asked, Opening, Template,
            template::{Approver, Kind},
        },
        delegation::Party,
        ids::{ClientId, Issuer, Login, TenantName, UserId},
    },
    ports::{
        entropy,
        store::{Change, ChangeId, Committed, Index, Page, Store},
    },
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

type Fault = Box<dyn Error + Send + Sync>;

/// Records of one commit while the store is filled.
const CHUNK: u64 = 500;
/// Requesters who share the requests.
const REQUESTERS: u64 = 5_000;
/// Measurements of each kind.
const TIMES: u32 = 200;

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let count: u64 = std::env::args().nth(1).as_deref().unwrap_or("100000").parse()?;
    let folder = tempfile::tempdir()?;
    let place = Place::Folder(PathBuf::from(folder.path()));
    let store = EmbeddedStore::open(&Settings::new(place), Arc::new(SystemClock), &OsEntropy)?;
    let (mut written, mut out) = (0, std::io::stdout());
    writeln!(
        out,
        "{:>9} {:>12} {:>12} {:>12} {:>12}",
        "open", "page of all", "of approver", "of one's own", "one more"
    )?;
    for size in [0, count / 100, count / 10, count / 2, count] {
        while written < size {
            let last = size.min(written + CHUNK);
            commit(&store, written..last).await?;
            written = last;
        }
        let all = page(&store, records::all()).await?;
        let approver = page(&store, records::by_approver(&approver()?)).await?;
        let own = page(&store, records::by_requester(&requester(7)?.id)).await?;
        let began = Instant::now();
        for n in 0..TIMES {
            commit(&store, (size + u64::from(n))..(size + u64::from(n) + 1)).await?;
        }
        written = written.max(size + u64::from(TIMES));
        let more = began.elapsed() / TIMES;
        writeln!(out, "{size:>9} {all:>12.2?} {approver:>12.2?} {own:>12.2?} {more:>12.2?}")?;
    }
    Ok(())
}

/// What a page of 50 takes, on average, on the first ten pages.
async fn page(store: &dyn Store, index: Index) -> Result<Duration, Fault> {
    let (began, mut after) = (Instant::now(), None);
    for n in 0..TIMES {
        let page = Page { up_to: u64::MAX, after, limit: 50 };
        let found = store.list(&TenantName::default_tenant(), index, page).await?;
        for (_, _, record) in found.whole()? {
            let _: Approval = behalf::app::records::decode(record)?;
        }
        after = found.end().filter(|_| n % 10 != 9);
    }
    Ok(began.elapsed() / TIMES)
}

fn party(name: &str) -> Result<Party, Fault> {
    Ok(Party { id: UserId::parse(name)?, login: Login::parse(&format!("{name}@example.test"))? })
}

fn requester(number: u64) -> Result<Party, Fault> {
    party(&format!("00u{}", number % REQUESTERS))
}

fn approver() -> Result<Approver, Fault> {
    Ok("group:00gsecops".parse()?)
}

fn request(number: u64, now: Timestamp) -> Result<Approval, Fault> {
    let mut template = Template::new(Kind::Approve, BTreeSet::from([approver()?]));
    // Nothing ends while it is measured.
    template.decide_within = SignedDuration::from_hours(24);
    let asked = Asked {
        requester: requester(number)?,
        delegator: party("00ubob")?,
        client: ClientId::parse("app")?,
        issuer: Issuer::parse("https://issuer.test")?,
        scopes: ["openid".to_owned(), "payments.read".to_owned()].into(),
        reason: Some("the invoices of November".to_owned()),
        ticket: Some(format!("OPS-{number}")),
        application: None,
    };
    let opening = Opening {
        id: ApprovalId::mint(now, entropy::bytes(&OsEntropy)),
        asked,
        rule: "directors".to_owned(),
        template,
        binding: format!(r#"{{"request":"{number:0>600}"}}"#),
        epoch: 1,
    };
    Ok(Approval::open(opening, now))
}

async fn commit(store: &dyn Store, numbers: std::ops::Range<u64>) -> Result<(), Fault> {
    let tenant = TenantName::default_tenant();
    let now = store.read(&tenant, &[]).await?.now;
    let mut change = Change::new(ChangeId(entropy::bytes(&OsEntropy)), now + SignedDuration::from_mins(1));
    for number in numbers {
        let approval = request(number, now)?;
        if number % CHUNK == 0 {
            change.puts.push(records::put_roster(&approval.asked.requester.id, &Roster::default(), now)?);
        }
        change.puts.push(records::put(&approval)?);
    }
    match store.commit(&tenant, change).await? {
        Committed::Done(_) => Ok(()),
        other => Err(format!("not written: {other:?}").into()),
    }
}
