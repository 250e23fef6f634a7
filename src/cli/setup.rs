//! `behalf setup`: what an identity provider needs, made there.

use std::{io::Write as _, process::ExitCode};

use clap::Subcommand;

use crate::{
    adapters::finding::{Finding, Level},
    domain::ids::is_deceptive,
};

mod okta;
mod secret;

#[derive(Debug, Subcommand)]
pub(super) enum SetupCommand {
    /// Okta: user type, attribute `delegatedAgents`, scope, claim `can_delegate`, inline hook, access policies
    ///
    /// Reads the configuration as `serve` does (issuer, credentials for Okta, hook secret) and shows each change before
    /// it makes it. What is there already is left alone, so it can be run again at any time; it goes on where it
    /// stopped. Nothing is ever deleted. The credentials must be those of an administrator, or of a service app with the
    /// scopes okta.userTypes.manage, okta.schemas.manage, okta.inlineHooks.manage and okta.authorizationServers.manage.
    ///
    /// Ends with 0 if all is as wanted (with --dry-run: if nothing stands in the way), 1 if something is missing or
    /// differs or couldn't be made, 2 if it couldn't be found out.
    Okta(okta::OktaArgs),
}

/// It couldn't be found out what there is.
const UNKNOWN: u8 = 2;

/// Does it.
pub(super) async fn run(what: SetupCommand) -> ExitCode {
    match what {
        SetupCommand::Okta(args) => okta::run(args).await,
    }
}

/// A line of the report, at once. Names that somebody gave at the identity provider can't forge lines or colours.
fn say(line: &str) {
    let line: String = line.chars().map(|c| if is_deceptive(c) { '\u{fffd}' } else { c }).collect();
    // Whoever closes our output doesn't stop the work.
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}

fn say_finding(finding: &Finding) {
    let level = match finding.level {
        Level::Good => "ok",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    say(&format!("{level}: {}", finding.text));
}
