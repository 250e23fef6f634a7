//! Hooks that consume a delegation, and the start after a kill.

use std::{fs, path::Path, sync::Arc, time::Duration};

use behalf::{
    adapters::{
        directory::embedded::EmbeddedDirectory,
        store::embedded::{EmbeddedStore, Place, Settings, media::DATA_FILE, status::status_offline},
        system::{OsEntropy, SystemClock},
    },
    domain::ids::{TenantName, UserId},
    ports::{directory::Directory as _, store::Store},
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::time::sleep;

use crate::{
    data::{self, Fault, Pending},
    disk::Sync,
    generator::{Round, Work, drive, request},
    hook::hook,
    proc,
    report::{cpu_ratio, latency, line, ratio},
    scenarios::{HOOK, Run},
    server::{SECRET, Server, write_users},
};

pub(crate) const CONNECTIONS: usize = 64;
/// An answer that grants begins with the commands; a refusal begins with the error.
pub(crate) const GRANTED: &[u8] = br#"{"commands":[{"#;

impl Run<'_> {
    pub(crate) async fn delegated(&self, pending: usize, sync: &Sync) -> Result<(), Fault> {
        let (folder, rounds, per_round) = (self.folder()?, self.args.rounds, self.args.per_round);
        write_users(folder.path(), data::AGENTS)?;
        // One round to warm up, and one in which the process is killed.
        let mut waiting = self.fill(folder.path(), pending + (rounds + 2) * per_round).await?;
        data::shuffle(&mut waiting);
        let behalf = self.behalf(folder.path()).await?;
        let floor = Server::floor(&self.args.floor, folder.path()).await?;
        // The trail of those initiations is sealed first: what is measured is hooks, and the sealing of theirs.
        behalf.at_rest().await?;
        let size = fs::metadata(folder.path().join("data").join(DATA_FILE))?.len() >> 20;
        println!("delegated hooks, {pending} pending, {CONNECTIONS} connections; data of {size} MiB");
        println!(
            "  start to ready {:.0} ms with {} users; resident {:.1} MiB",
            behalf.took.as_secs_f64() * 1e3,
            data::AGENTS + data::DELEGATORS,
            proc::rss_mib(&behalf.pid)?
        );
        let device = proc::device(folder.path());
        let flushes = || device.as_deref().and_then(proc::flushes).unwrap_or(0);
        let (mut ours, mut theirs, mut counted) = (Vec::new(), Vec::new(), [0, 0]);
        for round in 0..=rounds {
            let batch: Vec<Pending> = waiting.split_off(waiting.len() - per_round);
            let before = flushes();
            let one = self.consume(&behalf, HOOK, GRANTED, &batch).await?;
            let between = flushes();
            let two = self.consume(&floor, "/same", b"{", &batch).await?;
            if round > 0 {
                counted = [counted[0] + between - before, counted[1] + flushes() - between];
                ours.push(one);
                theirs.push(two);
            }
        }
        line("behalf", &ours);
        line("floor, same bytes", &theirs);
        let goal = if pending > 100_000 { 0.25 } else { 0.30 };
        println!(
            "  ratio to the floor {:.2}  [>= {goal:.2}]; by processor time {:.2}",
            ratio(&ours, &theirs),
            cpu_ratio(&ours, &theirs)
        );
        println!(
            "  p99 {:.2} ms  [< {:.2} ms: 10 ms and two syncs]; resident {:.1} MiB",
            latency(&ours, 99),
            10.0 + 2.0 * sync.p50,
            proc::rss_mib(&behalf.pid)?
        );
        match &device {
            Some(device) => println!(
                "  {} commits acknowledged while {device} was counted {} times; during the floor's rounds, by others, {} times",
                rounds * per_round,
                counted[0],
                counted[1]
            ),
            None => println!("  flushes can't be counted: no block device found under {}", folder.path().display()),
        }
        self.crash(behalf, folder.path(), &waiting.split_off(pending), pending).await
    }

    /// A round of hooks that consume these delegations, all of which must be granted.
    pub(crate) async fn consume(
        &self,
        server: &Server,
        path: &str,
        body: &'static [u8],
        batch: &[Pending],
    ) -> Result<Round, Fault> {
        let work = Work::new(self.requests(path, batch), "HTTP/1.1 200", body, None);
        drive(server.address, &server.pid, CONNECTIONS, work).await
    }

    pub(crate) fn requests(&self, path: &str, batch: &[Pending]) -> Vec<Vec<u8>> {
        let body = |p: &Pending| {
            let event = p.id.expose().get(20..44).unwrap_or_default();
            hook(self.issuer.issuer(), &data::agent(p.agent), event, Some(p.id.expose()))
        };
        batch.iter().map(|p| request(path, SECRET, &body(p))).collect()
    }

    /// Writes delegations and grants into the data, by the program's own code.
    pub(crate) async fn fill(&self, folder: &Path, count: usize) -> Result<Vec<Pending>, Fault> {
        let settings = Settings::new(Place::Folder(folder.join("data")));
        let store = Arc::new(EmbeddedStore::open(&settings, Arc::new(SystemClock), &OsEntropy)?);
        let waiting = self.fill_store(Arc::clone(&store) as Arc<dyn Store>, folder, count).await?;
        store.close();
        Ok(waiting)
    }

    /// The same into any store.
    pub(crate) async fn fill_store(
        &self,
        store: Arc<dyn Store>,
        folder: &Path,
        count: usize,
    ) -> Result<Vec<Pending>, Fault> {
        let waiting = data::populate(&*store, self.issuer.issuer(), count).await?;
        let tenant = TenantName::default_tenant();
        let directory = EmbeddedDirectory::open(&folder.join("users.yaml"), tenant, store, Arc::new(OsEntropy))?;
        futures_util::stream::iter(0..data::AGENTS)
            .map(|number| {
                let directory = &directory;
                async move {
                    let (delegator, agent) = (data::delegator(number), data::agent(number));
                    directory.add_grant(&UserId::parse(&delegator)?, &UserId::parse(&agent)?).await?;
                    Ok::<_, Fault>(())
                }
            })
            .buffer_unordered(CONNECTIONS)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(waiting)
    }

    /// Kills the process under load and starts it again.
    async fn crash(&self, behalf: Server, folder: &Path, batch: &[Pending], pending: usize) -> Result<(), Fault> {
        let work = Work::new(self.requests(HOOK, batch), "HTTP/1.1 200", GRANTED, None);
        let (address, pid) = (behalf.address, behalf.pid.clone());
        let load = tokio::spawn(async move { drive(address, &pid, CONNECTIONS, work).await.is_ok() });
        sleep(Duration::from_millis(150)).await;
        behalf.kill()?;
        let too_late = load.await?;
        let again = self.behalf(folder).await?;
        println!(
            "  start to ready after kill -9{}: {:.2} s  [< 5 s with 1 M]",
            if too_late { " (at rest)" } else { " under load" },
            again.took.as_secs_f64()
        );
        again.kill()?;
        let status = status_offline(&folder.join("data"), &SystemClock)?;
        let records: u64 = status.tenants.iter().map(|tenant| tenant.records).sum();
        if records < u64::try_from(pending)? {
            return Err(format!("only {records} records are left").into());
        }
        println!("  then {records} records in {} MiB\n", status.file_bytes >> 20);
        Ok(())
    }
}
