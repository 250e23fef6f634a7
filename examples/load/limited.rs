//! Hooks within a container's limits: a share of a processor and so much memory. The chart's resources follow from this.
//!
//! A share is a part of every 100 ms, as Kubernetes gives it: whoever has used his part up stands still until the next,
//! so p99 tells more than the rate. Control groups of version 1 or 2, as root.

use std::{fs, io, path::PathBuf, time::Duration};

use crate::{
    data::{self, Fault},
    delegated::{CONNECTIONS, GRANTED},
    generator::{Round, Work, drive, request},
    hook::hook,
    proc,
    report::{latency, line, median},
    scenarios::{HOOK, Run},
    server::{SECRET, write_users},
};

/// Processors.
const SHARES: [f64; 3] = [0.25, 0.5, 1.0];
/// Bytes: the chart's limit.
const MEMORY: u64 = 256 << 20;
/// What the kernel gives a share of, in microseconds: its default.
const PERIOD: f64 = 100_000.0;
/// Delegations that wait.
const PENDING: usize = 20_000;
/// Delegations that are consumed in a round for each whole processor.
const PER_PROCESSOR: f64 = 12_000.0;

/// Control groups with these limits. Gone when this is dropped, behind the process that was held.
struct Limit {
    groups: Vec<PathBuf>,
}

impl Limit {
    fn new(share: f64) -> Result<Self, Fault> {
        let name = format!("behalf-load-{}", std::process::id());
        let root = PathBuf::from("/sys/fs/cgroup");
        let quota = share * PERIOD;
        let one = [
            ("cpu", "cpu.cfs_quota_us", format!("{quota:.0}")),
            ("memory", "memory.limit_in_bytes", MEMORY.to_string()),
        ];
        let two = [("", "cpu.max", format!("{quota:.0} {PERIOD:.0}")), ("", "memory.max", MEMORY.to_string())];
        let is_two = root.join("cgroup.controllers").exists();
        if is_two {
            fs::write(root.join("cgroup.subtree_control"), "+cpu +memory")?;
        }
        let mut limit = Self { groups: Vec::new() };
        for (controller, file, value) in if is_two { two } else { one } {
            let group = root.join(controller).join(&name);
            match fs::create_dir(&group) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(format!("{}: {error}; limits take root", group.display()).into());
                }
                _ => {}
            }
            fs::write(group.join(file), value)?;
            limit.groups.push(group);
        }
        Ok(limit)
    }

    fn hold(&self, pid: &str) -> Result<(), Fault> {
        for group in &self.groups {
            fs::write(group.join("cgroup.procs"), pid)?;
        }
        Ok(())
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        for group in &self.groups {
            // There may be one for both limits.
            drop(fs::remove_dir(group));
        }
    }
}

impl Run<'_> {
    pub(crate) async fn limited(&self) -> Result<(), Fault> {
        println!(
            "within limits: {} MiB, {PENDING} pending, {CONNECTIONS} connections; \"half\" is half of what it can do",
            MEMORY >> 20
        );
        for share in SHARES {
            self.within(share).await?;
        }
        println!();
        Ok(())
    }

    async fn within(&self, share: f64) -> Result<(), Fault> {
        let folder = self.folder()?;
        write_users(folder.path(), data::AGENTS)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let per_round = (PER_PROCESSOR * share) as usize;
        let mut waiting = self.fill(folder.path(), PENDING + 2 * (self.args.rounds + 1) * per_round).await?;
        data::shuffle(&mut waiting);
        let limit = Limit::new(share)?;
        let server = self.behalf(folder.path()).await?;
        server.at_rest().await?;
        limit.hold(&server.pid)?;
        let body = hook(self.issuer.issuer(), &data::agent(1), "evtUntouched", None);
        let mut next = || waiting.split_off(waiting.len().saturating_sub(per_round));
        let (mut untouched, mut all, mut half): (Vec<Round>, Vec<Round>, Vec<Round>) = Default::default();
        for round in 0..=self.args.rounds {
            let lasts = Some(Duration::from_millis(self.args.millis));
            let work = Work::new(vec![request(HOOK, SECRET, &body)], "HTTP/1.1 204", b"", lasts);
            let one = drive(server.address, &server.pid, CONNECTIONS, work).await?;
            let two = self.consume(&server, HOOK, GRANTED, &next()).await?;
            let three = self.paced(&server, &next(), two.per_second / 2.0).await?;
            // The first round warms up.
            if round > 0 {
                untouched.push(one);
                all.push(two);
                half.push(three);
            }
        }
        println!(" {share} of a processor: resident {:.1} MiB", proc::rss_mib(&server.pid)?);
        line("untouched", &untouched);
        line("delegated", &all);
        line("half of that", &half);
        println!(
            "  delegated at half ({:.0} req/s): p99 {:.2} ms",
            median(half.iter().map(|round| round.per_second)),
            latency(&half, 99)
        );
        server.kill()
    }
}
