//! The release binary under load, beside the floor, in one run.
//!
//! ```text
//! cargo build --release --examples && cargo build --release
//! target/release/examples/load                                    # 100 k pending delegations; a minute or two
//! target/release/examples/load --pending 100000,1000000 --rss-hooks 1000000 --rounds 9
//! target/release/examples/load --only start,untouched --disk /mnt/data
//! ```
//!
//! behalf and the floor (`examples/floor.rs`) run with one worker each and are driven in turns, so that what else goes
//! on in the machine hits both; ratios are medians over the rounds. Every answer is checked. Delegations are written
//! into the data before the start, as the service writes them, and are consumed in random order; there are never fewer
//! waiting than the heading says. Where this program itself is busy all the time, it was the limit, not the server:
//! then look at the processor time per request.

#![expect(clippy::print_stdout, reason = "the result")]

#[path = "../../benches/support/data.rs"]
mod data;
mod delegated;
mod directory;
mod disk;
#[expect(dead_code, unused_imports, reason = "the tests use the rest of it")]
#[path = "../../tests/it/support/fake_okta.rs"]
mod fake_okta;
mod generator;
#[path = "../../benches/support/hook.rs"]
mod hook;
mod limited;
mod prepared;
mod proc;
mod report;
mod scenarios;
mod server;
mod shared;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use behalf::{
    adapters::{
        oidc::install_crypto,
        system::{OsEntropy, SystemClock},
    },
    demo::authorization_server::{DevServer, DevSettings},
};
use clap::{Parser, ValueEnum};

use self::data::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Start, and memory of a process that does nothing.
    Start,
    /// Hooks without a delegation.
    Untouched,
    /// Hooks that consume a delegation, and the start after a kill.
    Delegated,
    /// Hooks whose delegation takes an approval and a reservation, beside those that take neither.
    Prepared,
    /// Both sorts of hooks over Redis, with one replica and with two.
    Shared,
    /// Hooks that consume a delegation, with users and grants in Okta.
    Directory,
    /// Both sorts of hooks within a container's limits; takes root, and is run only if asked for.
    Limited,
}

/// Measures the release binary against the floor.
#[derive(Debug, Parser)]
struct Args {
    /// What to run
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "start,untouched,delegated,prepared,shared,directory"
    )]
    only: Vec<Scenario>,
    /// Rounds of each server
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Length of a round of untouched hooks, in milliseconds
    #[arg(long, default_value_t = 1500)]
    millis: u64,
    /// Delegations that wait; several numbers make several runs
    #[arg(long, value_delimiter = ',', default_value = "100000")]
    pending: Vec<usize>,
    /// How Redis keeps its data, where it is the store
    #[arg(long, value_enum, value_delimiter = ',', default_value = "off,everysec,always")]
    persistence: Vec<shared::Persistence>,
    /// How late Okta answers, in milliseconds, where it is the directory
    #[arg(long, value_delimiter = ',', default_value = "0,20,100")]
    latencies: Vec<u64>,
    /// Delegations consumed in a round
    #[arg(long, default_value_t = 10_000)]
    per_round: usize,
    /// Untouched hooks after which memory is looked at
    #[arg(long, default_value_t = 200_000)]
    rss_hooks: usize,
    /// Where the data goes; by default the folder for temporary files
    #[arg(long)]
    disk: Option<PathBuf>,
    /// The binary to measure
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/release/behalf"))]
    behalf: PathBuf,
    /// The floor
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/release/examples/floor"))]
    floor: PathBuf,
    /// The Redis server to start
    #[arg(long, default_value = "redis-server")]
    redis: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    install_crypto();
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Fault> {
    for binary in [&args.behalf, &args.floor] {
        if !binary.exists() {
            let how = "build it first: cargo build --release --examples && cargo build --release";
            return Err(format!("{} is not there; {how}", binary.display()).into());
        }
    }
    let issuer = DevServer::start(DevSettings {
        path: "/oauth2/default".to_owned(),
        audience: "api://default".to_owned(),
        users: Vec::new(),
        clients: Vec::new(),
        scopes: ["behalf".to_owned()].into(),
        hook: None,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    })?;
    let run = scenarios::Run { args, issuer: &issuer };
    let sync = disk::measure(run.folder()?.path())?;
    println!("disk: fdatasync of one random 4 KiB page p50 {:.2} ms, p99 {:.2} ms", sync.p50, sync.p99);
    println!("goals in brackets\n");
    if args.only.contains(&Scenario::Start) {
        run.start().await?;
    }
    if args.only.contains(&Scenario::Untouched) {
        run.untouched().await?;
    }
    if args.only.contains(&Scenario::Delegated) {
        for pending in &args.pending {
            run.delegated(*pending, &sync).await?;
        }
    }
    if args.only.contains(&Scenario::Prepared) {
        run.prepared().await?;
    }
    if args.only.contains(&Scenario::Shared) {
        for pending in &args.pending {
            for persistence in &args.persistence {
                run.shared(*pending, *persistence).await?;
            }
        }
    }
    if args.only.contains(&Scenario::Directory) {
        for millis in &args.latencies {
            run.directory(Duration::from_millis(*millis)).await?;
        }
    }
    if args.only.contains(&Scenario::Limited) {
        run.limited().await?;
    }
    issuer.stop().await;
    Ok(())
}
