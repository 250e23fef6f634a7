//! `behalf selftest`: calls the hook through the front door, as the identity provider does, and says what the provider
//! would have seen. Nothing is consumed: one hook carries no id, the other one an id that was never handed out.

mod answer;
mod door;

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use jiff::Timestamp;

use self::{
    answer::{Case, Verdict},
    door::Door,
};
use super::{fail, print};
use crate::{
    adapters::{
        dialect::okta::{PATIENCE, sample},
        http_client,
        system::{OsEntropy, SystemClock},
    },
    config::{Config, DialectKind, Tenant},
    domain::{
        hex::hex,
        ids::{IdError, TenantName},
    },
    ports::{clock::Clock as _, entropy},
};

#[derive(Debug, Args)]
pub(super) struct SelftestArgs {
    /// The service's address as the identity provider has it, without the hook's path; default: where the configuration
    /// says that it listens
    #[arg(long)]
    url: Option<String>,
    /// Whose hook
    #[arg(long, default_value = TenantName::DEFAULT, value_parser = tenant)]
    tenant: TenantName,
    /// A file with an access token to show, where the provider authenticates by OAuth 2.0
    #[arg(long)]
    token_file: Option<PathBuf>,
}

fn tenant(text: &str) -> Result<TenantName, IdError> {
    TenantName::parse(text)
}

/// Prints a line for each hook; fails if one wasn't answered as it must be.
pub(super) async fn run(args: SelftestArgs) -> ExitCode {
    let config = match Config::from_process() {
        Ok(config) => config,
        Err(mistakes) => return fail(&mistakes),
    };
    let Some(tenant) = config.tenants.get(&args.tenant) else {
        return fail(&format_args!("the configuration has no tenant `{}`", args.tenant));
    };
    let base = args.url.clone().unwrap_or_else(|| super::health::address(&config.server));
    let made = http_client::build(config.ca_file.as_deref()).map_err(|error| http_client::explain(&error));
    let door = made.and_then(|http| Door::new(http, &base, &args.tenant, tenant, args.token_file.as_deref()));
    let door = match door {
        Ok(door) => door,
        Err(what) => return fail(&what),
    };
    let waits = PATIENCE.as_secs();
    let mut lines = vec![format!("POST {}, as Okta does, which waits {waits} s and asks once", door.hook())];
    let well = knock(&door, tenant, &mut lines).await;
    lines.push(door.last_hook(&args.tenant, SystemClock.now()).await);
    lines.push(if well { "all is well\n" } else { "the provider would mint plain tokens, or none\n" }.to_owned());
    let printed = print(&lines.join("\n"));
    if well { printed } else { ExitCode::FAILURE }
}

/// Delivers the hooks. After one that got no answer at all the others would say the same.
async fn knock(door: &Door, tenant: &Tenant, lines: &mut Vec<String>) -> bool {
    let DialectKind::Okta = tenant.dialect;
    let id = sample::impossible_id();
    let mut well = true;
    for case in Case::ALL {
        let event = format!("behalf-self-test-{}", hex(&entropy::bytes::<8>(&OsEntropy)));
        let carried = (case == Case::UnknownId).then_some(&id);
        let body = sample::hook(&tenant.issuer, &event, now(), carried);
        let Some(answered) = door.deliver(case, body).await else {
            lines.push(format!("skipped: {}: give --token-file; the provider shows a token here", case.words()));
            continue;
        };
        let verdict = match &answered {
            Ok(answer) => answer.judge(case, tenant.refusal, PATIENCE),
            Err(what) => Verdict::Bad(what.clone()),
        };
        well &= verdict.is_well();
        lines.push(verdict.line(case));
        if answered.is_err() {
            break;
        }
    }
    well
}

fn now() -> Timestamp {
    SystemClock.now()
}
