//! `behalf check`: the configuration, and everything that it names.

use std::{process::ExitCode, sync::Arc};

use super::{fail, print};
use crate::{
    adapters::system::{OsEntropy, SystemClock},
    boot::{Behalf, Preview},
    config::Config,
};

/// Prints what is good and what isn't; fails if anything isn't.
pub(super) async fn run() -> ExitCode {
    let config = match Config::from_process() {
        Ok(config) => config,
        Err(mistakes) => return fail(&mistakes),
    };
    let mut lines: Vec<String> = config.warnings().iter().map(|warning| format!("warning: {warning}")).collect();
    let Preview { findings, well } = Behalf::preview(&config, Arc::new(SystemClock), Arc::new(OsEntropy)).await;
    lines.extend(findings);
    lines.push(if well { "all is well\n" } else { "not ready to serve\n" }.to_owned());
    let printed = print(&lines.join("\n"));
    if well { printed } else { ExitCode::FAILURE }
}
