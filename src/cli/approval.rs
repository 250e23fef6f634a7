//! `behalf approval verify`: what the evidence of an approval proves, without asking anybody. Exit code 1: something is
//! wrong; 2: it could not be verified.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use super::print;
use crate::domain::{
    approval::{
        Choice,
        jwk::Kid,
        template::SignatureLevel,
        verify::{Checked, Outcome, Report, Trust, verify},
    },
    chain::PublicKey,
    ids::UserId,
};

/// More than any evidence has.
const MOST_BYTES: u64 = 4 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum ApprovalCommand {
    /// Verify the evidence of an approval, and name the first thing that is wrong; exit code 1 if there is one
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The evidence, as `GET /v1/approvals/{id}/evidence` gives it
    file: PathBuf,
    /// The service's keys, as `/.well-known/behalf-keys.json` gave them; kept where the service's owner can't change them
    #[arg(long)]
    jwks: Option<PathBuf>,
    /// A key that is known to be an approver's: `<user id>=<kid>`; may be repeated
    #[arg(long, value_parser = approver)]
    approver: Vec<(UserId, Kid)>,
}

fn approver(text: &str) -> Result<(UserId, Kid), &'static str> {
    let (user, kid) = text.rsplit_once('=').ok_or("is not of the form <user id>=<kid>")?;
    let user = UserId::parse(user).map_err(|_| "has no user id before the `=`")?;
    Ok((user, kid.parse().map_err(|_| "has no key's thumbprint (RFC 7638) behind the `=`")?))
}

/// Does what the command line says.
pub(super) fn run(what: ApprovalCommand) -> ExitCode {
    let ApprovalCommand::Verify(args) = what;
    let (text, trust) = match read(&args) {
        Ok(read) => read,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    match verify(&text, &trust) {
        Ok(report) => print(&told(&report)),
        Err(wrong) => {
            eprintln!("BAD: {wrong}");
            ExitCode::from(1)
        }
    }
}

fn read(args: &VerifyArgs) -> Result<(String, Trust), String> {
    let text = content(&args.file)?;
    serde_json::from_str::<Value>(&text).map_err(|error| format!("{}: is no JSON: {error}", args.file.display()))?;
    let service = args.jwks.as_deref().map(service_keys).transpose()?;
    let mut approvers: BTreeMap<UserId, BTreeSet<Kid>> = BTreeMap::new();
    for (user, kid) in &args.approver {
        approvers.entry(user.clone()).or_default().insert(*kid);
    }
    Ok((text, Trust { service, approvers }))
}

fn content(path: &Path) -> Result<String, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if read as u64 > MOST_BYTES { Err(failed(&"is longer than any evidence")) } else { Ok(text) }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// The Ed25519 keys of a set; others are left alone (RFC 7517, 5).
fn service_keys(path: &Path) -> Result<Vec<PublicKey>, String> {
    let set: KeySet =
        serde_json::from_str(&content(path)?).map_err(|error| format!("{}: is no key set: {error}", path.display()))?;
    let is_ours = |key: &&Value| key["kty"] == "OKP" && key["crv"] == "Ed25519";
    let keys: Vec<PublicKey> =
        set.keys.iter().filter(is_ours).filter_map(|key| key["x"].as_str()?.parse().ok()).collect();
    if keys.is_empty() { Err(format!("{}: has no Ed25519 key", path.display())) } else { Ok(keys) }
}

fn told(report: &Report) -> String {
    let request = &report.request;
    let mut text = format!(
        "OK: {}, tenant {}, version {}\n  {} ({}) for {} ({}), through {}, scopes {}, at most {} use(s) of {} s\n  state by the service's account: {}\n",
        request.request_id,
        request.tenant,
        request.request_version,
        request.requester.id,
        request.requester.login,
        request.subject.id,
        request.subject.login,
        request.client_id,
        request.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        request.uses,
        request.max_duration_s,
        report.state,
    );
    if let Some(why) = &request.justification {
        let _ = writeln!(text, "  reason: {why}");
    }
    let _ = writeln!(text, "  {}", outcome(&report.outcome));
    for vote in &report.votes {
        vote_told(&mut text, vote);
    }
    if report.own_word {
        text.push_str(
            "  the service's keys are those of the document itself: give --jwks to know that it was this service\n",
        );
    }
    text
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Approved { votes, quorum } => format!("approved: {votes} said yes, {quorum} were needed"),
        Outcome::Denied => "denied".to_owned(),
        Outcome::BreakGlass => "the votes were skipped in an emergency; nobody signed it".to_owned(),
        Outcome::Undecided => "not decided".to_owned(),
    }
}

fn vote_told(text: &mut String, vote: &Checked) {
    let said = match vote.choice {
        Choice::Approve => "approved",
        Choice::Deny => "denied",
    };
    let _ = writeln!(text, "  {} ({}) {said}; audit event {}", vote.by.id, vote.by.login, vote.event);
    let _ = writeln!(text, "    {}", proof(vote));
    if !vote.named {
        text.push_str("    he decided as a member of a group: that he was one then, is the service's word\n");
    }
}

/// What the signature proves, and what it doesn't.
fn proof(vote: &Checked) -> String {
    match (vote.level, &vote.key) {
        (Some(SignatureLevel::Jws), Some((kid, true))) => {
            format!("signed with his key {kid}: nobody without it could make this, the service included")
        }
        (Some(SignatureLevel::Jws), Some((kid, false))) => format!(
            "signed with the key {kid}; that it is his, is the service's word: ask him for his kid and give --approver {}={kid}",
            vote.by.id
        ),
        (Some(_), _) => {
            "typed his name after signing in: the service's word that he meant it; it proves nothing against \
                         the service itself"
                .to_owned()
        }
        (None, _) => "no signature of his: the service's word".to_owned(),
    }
}
