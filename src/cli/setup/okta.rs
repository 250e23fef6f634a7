//! `behalf setup okta`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use secrecy::SecretString;
use url::Url;

use super::{
    UNKNOWN, say, say_finding,
    secret::{HookSecret, Origin},
};
use crate::{
    adapters::{
        okta_admin::{
            carry_out::{Stopped, carry_out},
            change::Change,
            client::Client,
            find::find,
            found::{Found, wanted_type},
            plan::{Plan, plan},
            wish::{Delegatable, Wish},
        },
        system::OsEntropy,
    },
    config::{Config, OktaSetup, SetUp},
    domain::ids::TenantName,
};

mod wish;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(in crate::cli) struct OktaArgs {
    /// The public address of behalf, which Okta calls: `https://behalf.example.com`
    #[arg(long, value_name = "URL", value_parser = wish::public_address)]
    address: Url,
    /// Client id of an app whose users act for others (`0oa…`); can be repeated. An app that no access policy with the
    /// hook covers yet gets one of its own, with the same rules as before
    #[arg(long = "client", value_name = "ID", value_parser = wish::client_id)]
    clients: Vec<String>,
    /// Let every user be a delegator: the attribute goes to the default user type, and no type is made
    #[arg(long)]
    every_user: bool,
    /// Change also what is there and differs
    #[arg(long)]
    fix: bool,
    /// Write the hook's secret again, because Okta never tells whether it is the right one
    #[arg(long)]
    set_secret: bool,
    /// Where a secret that has to be made is left (mode 600)
    #[arg(long, value_name = "FILE", default_value = "behalf-hook-secret")]
    secret_file: PathBuf,
    /// Id of the authorization server; default: the end of the issuer
    #[arg(long, value_name = "ID")]
    server: Option<String>,
    /// Whose configuration it is
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = TenantName::parse)]
    tenant: TenantName,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Say what is missing or differs, and change nothing
    #[arg(long, conflicts_with_all = ["dry_run", "fix", "set_secret"])]
    verify: bool,
}

/// All that a run works with.
struct Work {
    args: OktaArgs,
    setup: OktaSetup,
    server: String,
    wish: Wish,
    client: Client,
}

pub(super) async fn run(args: OktaArgs) -> ExitCode {
    match attempt(args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(UNKNOWN)
        }
    }
}

/// True if all is as wanted.
async fn attempt(args: OktaArgs) -> Result<bool, String> {
    let setup = Config::okta_setup(&args.tenant).map_err(|mistakes| mistakes.to_string())?;
    setup.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
    let secret = HookSecret::find(&setup.hook, &args.secret_file)?;
    let server = wish::server(&args, &setup)?;
    let wish = wish::wish(&args, &setup, secret.state())?;
    let client = wish::client(&setup)?;
    let work = Work { args, setup, server, wish, client };
    say(&format!("looking at {}", work.setup.organisation.url));
    let found = find(&work.client, &work.server, &work.wish).await.map_err(|error| error.to_string())?;
    let plan = plan(&work.wish, &found);
    plan.findings.iter().for_each(say_finding);
    if work.args.verify {
        return Ok(verify(&plan));
    }
    if work.args.dry_run {
        return Ok(work.dry_run(&plan, &secret));
    }
    work.carry_out(&plan, secret, found).await
}

fn verify(plan: &Plan) -> bool {
    plan.changes.iter().for_each(|change| say(&format!("missing: {change}")));
    let complete = plan.is_complete();
    say(if complete { "all is there" } else { "not set up: run it without --verify" });
    complete
}

/// True if the change sends the hook's secret.
fn sends_secret(change: &Change) -> bool {
    matches!(change, Change::MakeHook(_) | Change::WriteHook { .. })
}

impl Work {
    fn dry_run(&self, plan: &Plan, secret: &HookSecret) -> bool {
        if matches!(secret, HookSecret::None) && plan.changes.iter().any(sends_secret) {
            say(&format!("would: make a secret and leave it in {}", self.args.secret_file.display()));
        }
        plan.changes.iter().for_each(|change| say(&format!("would: {change}")));
        say(&match plan.changes.len() {
            0 => "nothing to do".to_owned(),
            n => format!("{n} changes; nothing was changed"),
        });
        !plan.is_blocked()
    }

    async fn carry_out(&self, plan: &Plan, secret: HookSecret, found: Found) -> Result<bool, String> {
        let kept = matches!(secret, HookSecret::InFile(_));
        if plan.changes.is_empty() {
            say("nothing to do");
            self.settings(&found, kept);
            return Ok(!plan.is_blocked());
        }
        let (secret, in_file) = match self.secret(plan, secret) {
            Ok(secret) => secret,
            Err(why) => {
                say(&format!("FAILED: {why}; nothing was changed"));
                return Ok(false);
            }
        };
        let all = plan.changes.len();
        let tell = |at: usize, change: &Change| say(&format!("{}/{all} {change}", at + 1));
        if let Err(stopped) = carry_out(&self.client, &self.server, plan, secret.as_ref(), tell).await {
            report(plan, &stopped);
            return Ok(false);
        }
        say(&format!("{all} changes made; looking again"));
        let found = find(&self.client, &self.server, &self.wish).await.map_err(|error| error.to_string())?;
        // The secret was written just now: that Okta can't show it is no reason to write it again.
        let mut wish = self.wish.clone();
        (wish.hook.set_secret, wish.hook.secret) = (false, wish::known(secret.is_some(), wish.hook.secret));
        let after = self::plan(&wish, &found);
        after.findings.iter().for_each(say_finding);
        after.changes.iter().for_each(|change| say(&format!("error: Okta still doesn't have it: {change}")));
        self.settings(&found, kept || in_file);
        Ok(after.is_complete())
    }

    /// The secret, if a change sends it, and whether it is in our file.
    fn secret(&self, plan: &Plan, secret: HookSecret) -> Result<(Option<SecretString>, bool), String> {
        if !plan.changes.iter().any(sends_secret) {
            return Ok((None, false));
        }
        let file = &self.args.secret_file;
        let (secret, origin) = secret.need(file, &OsEntropy)?;
        if origin == Origin::Made {
            say(&format!("made a secret; it is in {}, which only you may read", file.display()));
        }
        Ok((Some(secret), origin != Origin::Configured))
    }

    /// What behalf's own configuration needs. No secret is shown.
    fn settings(&self, found: &Found, secret_in_file: bool) {
        say("");
        say("settings of behalf:");
        let give = |what: SetUp, value: &str| say(&self.setup.assignment(what, value));
        if let Some(user) = found.types.iter().find(|one| one.default) {
            give(SetUp::UserType, &user.id);
        }
        let delegatable = wanted_type(&self.wish.delegatable, &found.types).ok().flatten();
        if let Some(delegatable) = delegatable.filter(|_| self.wish.delegatable != Delegatable::Everybody) {
            give(SetUp::DelegatableType, &delegatable.id);
        }
        give(SetUp::HookHeader, &self.setup.hook.name);
        if secret_in_file {
            let file: &Path = &self.args.secret_file;
            let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
            give(SetUp::HookSecretFile, &absolute.display().to_string());
        } else if self.setup.hook.first.is_some() || self.setup.hook.second.is_some() {
            say("# the hook's secret: the one that is configured");
        }
    }
}

fn report(plan: &Plan, stopped: &Stopped) {
    say(&format!("FAILED: {stopped}"));
    if stopped.is_unclear() {
        say("Okta's answer didn't come or wasn't understood: that change may have been made; the next run looks first");
    }
    say(&format!("made: {} of {} changes", stopped.made, plan.changes.len()));
    plan.changes.iter().skip(stopped.made).for_each(|change| say(&format!("not made: {change}")));
    say("run it again when that is settled: it goes on where it stopped");
}
