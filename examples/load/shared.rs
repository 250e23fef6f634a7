//! Hooks over Redis: one replica, two of them, and at half of what one can do.

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use behalf::adapters::{
    audit::signing::{KEY_FILE, SigningKey},
    store::redis::{Address, Dial, Login, RedisStore, Topology},
    system::OsEntropy,
};
use clap::ValueEnum;

use crate::{
    data::{self, Fault, Pending},
    delegated::{CONNECTIONS, GRANTED},
    generator::{Round, Work, drive, request},
    hook::hook,
    proc,
    report::{cpu_ratio, latency, line, median, ratio},
    scenarios::{HOOK, Run},
    server::{SECRET, Server, free, write_users},
};

/// How Redis keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Persistence {
    /// In memory only.
    Off,
    /// A log, synced once a second.
    Everysec,
    /// A log, synced before each answer.
    Always,
}

impl Persistence {
    fn options(self) -> [&'static str; 4] {
        match self {
            Self::Off => ["--appendonly", "no", "--appendfsync", "no"],
            Self::Everysec => ["--appendonly", "yes", "--appendfsync", "everysec"],
            Self::Always => ["--appendonly", "yes", "--appendfsync", "always"],
        }
    }
}

/// What was measured, round by round.
#[derive(Default)]
struct Rounds {
    floor: Vec<Round>,
    untouched: Vec<Round>,
    one: Vec<Round>,
    half: Vec<Round>,
    two: Vec<Round>,
}

impl Run<'_> {
    pub(crate) async fn shared(&self, pending: usize, persistence: Persistence) -> Result<(), Fault> {
        let (folder, per_round) = (self.folder()?, self.args.per_round);
        write_users(folder.path(), data::AGENTS)?;
        let redis = self.redis(folder.path(), persistence).await?;
        let mut waiting =
            self.fill_redis(&redis, folder.path(), pending + (3 * self.args.rounds + 3) * per_round).await?;
        data::shuffle(&mut waiting);
        let (url, key) = (format!("redis://{}", redis.address), folder.path().join(KEY_FILE).display().to_string());
        let store = [("BEHALF_STORE", url.as_str()), ("BEHALF_SIGNING_KEY_FILE", key.as_str())];
        let one = Server::behalf_on(&self.args.behalf, folder.path(), self.issuer.issuer(), &store).await?;
        let two = Server::behalf_on(&self.args.behalf, folder.path(), self.issuer.issuer(), &store).await?;
        let floor = Server::floor(&self.args.floor, folder.path()).await?;
        one.at_rest().await?;
        two.at_rest().await?;
        println!("over Redis, {pending} pending, {CONNECTIONS} connections, append-only file: {persistence:?}");
        println!("  resident {:.1} MiB, Redis {:.1} MiB", proc::rss_mib(&one.pid)?, proc::rss_mib(&redis.pid)?);
        let mut rounds = Rounds::default();
        let body = hook(self.issuer.issuer(), &data::agent(1), "evtUntouched", None);
        let mut next = || waiting.split_off(waiting.len().saturating_sub(per_round));
        for round in 0..=self.args.rounds {
            let batch = next();
            let theirs = self.consume(&floor, "/same", b"{", &batch).await?;
            let lasts = Some(Duration::from_millis(self.args.millis));
            let work = Work::new(vec![request(HOOK, SECRET, &body)], "HTTP/1.1 204", b"", lasts);
            let untouched = drive(one.address, &one.pid, CONNECTIONS, work).await?;
            let ours = self.consume(&one, HOOK, GRANTED, &batch).await?;
            let pace = ours.per_second / 2.0;
            let half = self.paced(&one, &next(), pace).await?;
            let both = self.both(&one, &two, &next()).await?;
            // The first round warms up.
            if round > 0 {
                rounds.floor.push(theirs);
                rounds.untouched.push(untouched);
                rounds.one.push(ours);
                rounds.half.push(half);
                rounds.two.push(both);
            }
        }
        rounds.print();
        Ok(())
    }

    async fn redis(&self, folder: &Path, persistence: Persistence) -> Result<Server, Fault> {
        let address = free()?;
        let mut command = Command::new(&self.args.redis);
        command.current_dir(folder).args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""]);
        command.args(persistence.options());
        Server::start(command, address, &folder.join("redis.log"), None).await
    }

    async fn fill_redis(&self, redis: &Server, folder: &Path, count: usize) -> Result<Vec<Pending>, Fault> {
        let key = SigningKey::load_or_make(folder, &OsEntropy)?;
        drop(key);
        let at = Address { host: redis.address.ip().to_string(), port: redis.address.port() };
        let dial = Dial {
            tls: None,
            database: 0,
            login: Login::default(),
            sentinel_login: Login::default(),
            client_name: "load".to_owned(),
            connections: 1,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_mins(1),
            runtime: tokio::runtime::Handle::current(),
            entropy: Arc::new(OsEntropy),
        };
        let store = RedisStore::new(Topology::Standalone(at), dial, None);
        self.fill_store(Arc::new(store), folder, count).await
    }

    /// So many hooks a second.
    pub(crate) async fn paced(&self, server: &Server, batch: &[Pending], pace: f64) -> Result<Round, Fault> {
        let mut work = Work::new(self.requests(HOOK, batch), "HTTP/1.1 200", GRANTED, None);
        work.pace = Some(pace);
        drive(server.address, &server.pid, CONNECTIONS, work).await
    }

    /// Half of the batch to each of two servers, at the same time.
    async fn both(&self, one: &Server, two: &Server, batch: &[Pending]) -> Result<Round, Fault> {
        let (left, right) = batch.split_at(batch.len() / 2);
        let work = |batch: &[Pending]| Work::new(self.requests(HOOK, batch), "HTTP/1.1 200", GRANTED, None);
        let (left, right) = tokio::try_join!(
            drive(one.address, &one.pid, CONNECTIONS / 2, work(left)),
            drive(two.address, &two.pid, CONNECTIONS / 2, work(right)),
        )?;
        Ok(left.beside(right))
    }
}

impl Rounds {
    fn print(&self) {
        line("floor, same bytes", &self.floor);
        line("untouched", &self.untouched);
        line("one replica", &self.one);
        line("half of that", &self.half);
        line("two replicas", &self.two);
        println!(
            "  ratio to the floor {:.2}  [>= 0.20]; by processor time {:.2}; with two replicas {:.2}; untouched {:.2}",
            ratio(&self.one, &self.floor),
            cpu_ratio(&self.one, &self.floor),
            ratio(&self.two, &self.floor),
            ratio(&self.untouched, &self.floor),
        );
        println!(
            "  p99 at half of saturation ({:.0} req/s) {:.2} ms  [< 15 ms]\n",
            median(self.half.iter().map(|round| round.per_second)),
            latency(&self.half, 99)
        );
    }
}
