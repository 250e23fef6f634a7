//! `behalf audit`: verify, export, and what an auditor keeps elsewhere.

use std::{
    io::{self, BufWriter, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{fail, print, store};
use crate::{
    adapters::audit::signing::{KEY_FILE, SigningKey},
    config::{Config, StoreKind},
    domain::{
        chain::PublicKey,
        ids::{IdError, TenantName},
    },
    ports::signer::Signer as _,
};

mod source;
mod verify;

use source::Source;
pub(super) use verify::whole;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Verify the sealed entries of an exported file or of the store, and name the first bad one; exit code 1 if there is one
    Verify(VerifyArgs),
    /// Print the sealed entries as JSON lines
    Export {
        #[command(flatten)]
        of: Of,
        /// The first number
        #[arg(long)]
        from: Option<u64>,
        /// The last number
        #[arg(long)]
        to: Option<u64>,
    },
    /// Print the latest signed checkpoints, and those up to which entries were dropped, to be kept where the owner of the data can't reach them
    Checkpoint {
        #[command(flatten)]
        of: Of,
    },
    /// Print the public key that checkpoints are signed with
    Key {
        /// The data folder; default: key file or store of the configuration
        #[arg(long)]
        data: Option<PathBuf>,
    },
}

/// Of what store, and whose.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The data folder; default: that of the configuration
    #[arg(long)]
    data: Option<PathBuf>,
    /// One tenant only
    #[arg(long, value_parser = tenant)]
    tenant: Option<TenantName>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    of: Of,
    /// A file of exported lines, in place of the store
    #[arg(long, conflicts_with = "data")]
    file: Option<PathBuf>,
    /// The first number; what lies before is not looked at
    #[arg(long)]
    from: Option<u64>,
    /// The last number
    #[arg(long)]
    to: Option<u64>,
    /// A file of checkpoints that were kept elsewhere, one in a line
    #[arg(long, requires = "key")]
    checkpoint: Option<PathBuf>,
    /// A public key that is believed, as `behalf audit key` prints it; may be repeated
    #[arg(long, value_parser = public_key)]
    key: Vec<PublicKey>,
    /// Let exact repetitions pass, which a sink may write after a crash
    #[arg(long)]
    repeats: bool,
}

fn tenant(text: &str) -> Result<TenantName, IdError> {
    TenantName::parse(text)
}

fn public_key(text: &str) -> Result<PublicKey, &'static str> {
    text.parse().map_err(|_| "is no Ed25519 public key in base64url, as `behalf audit key` prints it")
}

/// Does what the command line says.
pub(super) async fn run(what: AuditCommand) -> ExitCode {
    match what {
        AuditCommand::Verify(args) => verify::run(args).await,
        AuditCommand::Export { of, from, to } => ended(export(of, from.unwrap_or(1), to.unwrap_or(u64::MAX)).await),
        AuditCommand::Checkpoint { of } => ended(checkpoint(of).await),
        AuditCommand::Key { data } => key(data),
    }
}

fn ended(result: Result<(), String>) -> ExitCode {
    result.map_or_else(|why| fail(&why), |()| ExitCode::SUCCESS)
}

async fn export(of: Of, from: u64, to: u64) -> Result<(), String> {
    let source = Source::open(store::located(of.data)?).await?;
    let mut out = BufWriter::new(io::stdout().lock());
    for tenant in source.tenants(of.tenant.as_ref()) {
        let mut after = from.saturating_sub(1);
        while after < to {
            let page = source.export(&tenant.name, after).await?;
            if page.dropped > after {
                eprintln!("tenant {}: {}", tenant.name, verify::dropped_up_to(page.dropped));
            }
            let Some((last, _)) = page.lines.last() else { break };
            after = *last;
            for (_, line) in page.lines.iter().take_while(|(seq, _)| *seq <= to) {
                writeln!(out, "{line}").map_err(|e| e.to_string())?;
            }
        }
    }
    out.flush().map_err(|e| e.to_string())
}

async fn checkpoint(of: Of) -> Result<(), String> {
    let source = Source::open(store::located(of.data)?).await?;
    let mut text = String::new();
    for tenant in source.tenants(of.tenant.as_ref()) {
        let marks = source.marks(&tenant.name, None).await?;
        for checkpoint in [marks.start, marks.latest].into_iter().flatten() {
            text.push_str(&serde_json::to_string(&checkpoint).map_err(|e| e.to_string())?);
            text.push('\n');
        }
    }
    if text.is_empty() {
        return Err("there is no checkpoint yet".to_owned());
    }
    print(&text);
    Ok(())
}

fn key(data: Option<PathBuf>) -> ExitCode {
    let path = match data {
        Some(folder) => folder.join(KEY_FILE),
        None => match Config::from_process() {
            Err(mistakes) => return fail(&mistakes),
            Ok(config) => match (config.audit.signing_key, config.store) {
                (Some(file), _) => file,
                (None, StoreKind::Embedded(folder)) => folder.join(KEY_FILE),
                (None, StoreKind::Memory) => {
                    return fail(&"with BEHALF_STORE=memory the key is made anew at each start");
                }
                (None, StoreKind::Redis(_)) => return fail(&"BEHALF_SIGNING_KEY_FILE is missing"),
            },
        },
    };
    match SigningKey::load(&path) {
        Ok(key) => {
            let public = key.public_key();
            print(&format!("{}\n", json!({"id": public.id(), "public_key": public})))
        }
        Err(error) => fail(&error),
    }
}
