//! The binary: crypto provider, command line, runtime, exit code.

use std::process::ExitCode;

use behalf::{adapters::oidc::install_crypto, cli};
use clap::Parser as _;

/// A hook is many small allocations: this allocator takes a fifth off its processor time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    install_crypto();
    let cli = cli::Cli::parse();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(cli::run(cli));
            // A disk that hangs must not keep the process: what it was asked for was answered as unknown.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("the runtime can't be started: {error}");
            ExitCode::FAILURE
        }
    }
}
