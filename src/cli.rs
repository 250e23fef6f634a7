//! The command line. Values come from the configuration; the command line only says what to do.

mod approval;
mod audit;
mod check;
mod health;
mod policy;
mod selftest;
mod setup;
mod simulate;
mod store;

use std::{
    io::{ErrorKind, Write as _},
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand};

use crate::{
    adapters::{
        http_client,
        system::{OsEntropy, SystemClock},
    },
    boot::Behalf,
    config::{self, Config},
    demo, lifecycle,
    telemetry::{self, Output, Traces},
    web::openapi,
};

/// Delegated access for identity providers with a token inline hook.
#[derive(Debug, Parser)]
#[command(name = "behalf", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve,
    /// Play the whole story on this machine, with a development authorization server
    Demo {
        /// Leave it running afterwards, with commands to try
        #[arg(long)]
        serve: bool,
    },
    /// Check the configuration and ask everything that it names; lists all mistakes at once
    Check,
    /// Ask a running service whether it is ready; for container health checks
    Health {
        /// Its address; default: where the configuration says that it listens
        #[arg(long)]
        url: Option<String>,
    },
    /// Print the API document
    Openapi,
    /// Print what can be configured
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
    /// Verify the evidence of an approval
    Approval {
        #[command(subcommand)]
        what: approval::ApprovalCommand,
    },
    /// Verify the sealed audit trail, and take it out of the house
    Audit {
        #[command(subcommand)]
        what: audit::AuditCommand,
    },
    /// Keep the rules under test
    Policy {
        #[command(subcommand)]
        what: policy::PolicyCommand,
    },
    /// Tell what would be decided now, and why; exit code 0: yes, 1: no, 2: can't be told
    Simulate(simulate::SimulateArgs),
    /// Call the hook through the front door, as the identity provider does, and say what it would have seen
    Selftest(selftest::SelftestArgs),
    /// Set the identity provider up
    Setup {
        #[command(subcommand)]
        what: setup::SetupCommand,
    },
    /// Look after the store
    Store {
        #[command(subcommand)]
        what: store::StoreCommand,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// As an example of an environment file
    Env,
    /// As a Markdown table
    Table,
}

/// Does what the command line says.
pub async fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Serve => serve().await,
        Command::Demo { serve } => demo::run(serve).await,
        Command::Check => check::run().await,
        Command::Health { url } => health::run(url).await,
        Command::Openapi => print(&openapi::json()),
        Command::Config { what: ConfigCommand::Env } => print(&config::env_example()),
        Command::Config { what: ConfigCommand::Table } => print(&config::markdown_table()),
        Command::Approval { what } => approval::run(what),
        Command::Audit { what } => audit::run(what).await,
        Command::Policy { what } => policy::run(what).await,
        Command::Simulate(args) => simulate::run(args).await,
        Command::Selftest(args) => selftest::run(args).await,
        Command::Setup { what } => setup::run(what).await,
        Command::Store { what } => store::run(what).await,
    }
}

async fn serve() -> ExitCode {
    let config = match Config::from_process() {
        Ok(config) => config,
        Err(mistakes) => return fail(&mistakes),
    };
    let traces = match start_telemetry(&config) {
        Ok(traces) => traces,
        Err(what) => return fail(&what),
    };
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let behalf = match Behalf::assemble(&config, Arc::new(SystemClock), Arc::new(OsEntropy)).await {
        Ok(behalf) => behalf,
        Err(error) => return fail(&error),
    };
    let ended = lifecycle::run(behalf, &config).await;
    if let Some(traces) = traces {
        traces.shut_down().await;
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Sets up the log, and the traces where they are wanted.
fn start_telemetry(config: &Config) -> Result<Option<Traces>, String> {
    let Some(settings) = &config.traces else {
        telemetry::init(&config.log, Output::Stdout).map_err(|error| error.to_string())?;
        return Ok(None);
    };
    let http = http_client::build(config.ca_file.as_deref()).map_err(|error| http_client::explain(&error))?;
    let traces = Traces::new(settings, http).map_err(|what| format!("OTEL_EXPORTER_OTLP_ENDPOINT: {what}"))?;
    telemetry::init_with(&config.log, &traces).map_err(|error| error.to_string())?;
    Ok(Some(traces))
}

/// Writes the command's result. Whoever reads only the beginning of it (`| head`) has what he wanted.
fn print(text: &str) -> ExitCode {
    let written = std::io::stdout().write_all(text.as_bytes());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => fail(&format_args!("nothing can be written: {error}")),
        _ => ExitCode::SUCCESS,
    }
}

/// Says what is wrong, on standard error.
fn fail(what: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{what}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
