//! Start, memory, and hooks without a delegation.

use std::{path::Path, time::Duration};

use behalf::demo::authorization_server::DevServer;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    Args,
    data::{self, Fault},
    generator::{Work, drive, request},
    hook::hook,
    proc,
    report::{cpu_ratio, line, median, ratio},
    server::{SECRET, Server, write_users},
};

/// Where hooks go.
pub(crate) const HOOK: &str = "/hooks/okta";
const UNTOUCHED_CONNECTIONS: usize = 32;
const STARTS: usize = 7;

/// One run of this program.
pub(crate) struct Run<'a> {
    pub(crate) args: &'a Args,
    pub(crate) issuer: &'a DevServer,
}

impl Run<'_> {
    /// An empty folder on the disk to be measured.
    pub(crate) fn folder(&self) -> Result<TempDir, Fault> {
        let disk = self.args.disk.clone().unwrap_or_else(std::env::temp_dir);
        Ok(tempfile::Builder::new().prefix("behalf-load-").tempdir_in(disk)?)
    }

    /// behalf on the data in this folder.
    pub(crate) async fn behalf(&self, folder: &Path) -> Result<Server, Fault> {
        Server::behalf(&self.args.behalf, folder, self.issuer.issuer()).await
    }

    pub(crate) async fn start(&self) -> Result<(), Fault> {
        let folder = self.folder()?;
        write_users(folder.path(), 10)?;
        let mut took = Vec::new();
        let first = self.behalf(folder.path()).await?;
        took.push(first.took.as_secs_f64() * 1e3);
        sleep(Duration::from_secs(2)).await;
        let idle = proc::rss_mib(&first.pid)?;
        first.kill()?;
        for _ in 1..STARTS {
            let server = self.behalf(folder.path()).await?;
            took.push(server.took.as_secs_f64() * 1e3);
            server.kill()?;
        }
        println!(
            "start to ready: {:.0} ms, median of {STARTS}; the first, on no data: {:.0} ms  [< 300 ms]",
            median(took.iter().copied()),
            took[0]
        );
        println!("resident when idle: {idle:.1} MiB  [< 60 MiB]\n");
        Ok(())
    }

    pub(crate) async fn untouched(&self) -> Result<(), Fault> {
        let folder = self.folder()?;
        write_users(folder.path(), 10)?;
        let behalf = self.behalf(folder.path()).await?;
        let floor = Server::floor(&self.args.floor, folder.path()).await?;
        let body = hook(self.issuer.issuer(), &data::agent(1), "evtUntouched", None);
        let lasts = Some(Duration::from_millis(self.args.millis));
        let (mut ours, mut same, mut none) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=self.args.rounds {
            let work = |path, status, answer| Work::new(vec![request(path, SECRET, &body)], status, answer, lasts);
            let one =
                drive(behalf.address, &behalf.pid, UNTOUCHED_CONNECTIONS, work(HOOK, "HTTP/1.1 204", b"")).await?;
            let two = work("/same", "HTTP/1.1 200", b"{");
            let two = drive(floor.address, &floor.pid, UNTOUCHED_CONNECTIONS, two).await?;
            let three = work("/none", "HTTP/1.1 204", b"");
            let three = drive(floor.address, &floor.pid, UNTOUCHED_CONNECTIONS, three).await?;
            // The first round warms up.
            if round > 0 {
                ours.push(one);
                same.push(two);
                none.push(three);
            }
        }
        println!("untouched hooks, {} bytes, {UNTOUCHED_CONNECTIONS} connections", body.len());
        line("behalf", &ours);
        line("floor, same bytes", &same);
        line("floor, no bytes", &none);
        println!(
            "  ratio to the floor {:.2}  [>= 0.80]; by processor time {:.2}; to the floor that answers nothing {:.2}, {:.2}",
            ratio(&ours, &same),
            cpu_ratio(&ours, &same),
            ratio(&ours, &none),
            cpu_ratio(&ours, &none)
        );
        self.memory(&behalf, &body).await
    }

    async fn memory(&self, behalf: &Server, body: &str) -> Result<(), Fault> {
        let request = request(HOOK, SECRET, body);
        let mut left = self.args.rss_hooks;
        while left > 0 {
            let now = left.min(50_000);
            let work = Work::new(vec![request.clone(); now], "HTTP/1.1 204", b"", None);
            drive(behalf.address, &behalf.pid, UNTOUCHED_CONNECTIONS, work).await?;
            left -= now;
        }
        let resident = proc::rss_mib(&behalf.pid)?;
        println!("  resident after the rounds and {} more hooks: {resident:.1} MiB\n", self.args.rss_hooks);
        Ok(())
    }
}
