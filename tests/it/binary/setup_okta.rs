//! `setup okta` against an Okta that is strict.

mod faults;
mod refusals;
mod runs;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use behalf::adapters::oidc::install_crypto;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    fake_okta_admin::{FakeOktaAdmin, TOKEN},
    process::{Ended, behalf, run},
};

const SECRET: &str = "Hook of-the-setup-tests";
const ADDRESS: &str = "https://behalf.example.com";

/// An Okta, and a folder to run the binary in.
struct Rig {
    okta: FakeOktaAdmin,
    dir: TempDir,
}

impl Rig {
    fn start() -> Self {
        install_crypto();
        Self { okta: FakeOktaAdmin::start(), dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn variables(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("TENANT", self.okta.url.clone()),
            ("TOKEN", TOKEN.to_owned()),
            ("BEHALF_ISSUER", format!("{}/oauth2/default", self.okta.url)),
            ("BEHALF_AUDIENCE", "api://default".to_owned()),
            ("BEHALF_HOOK_SECRET", SECRET.to_owned()),
        ])
    }

    /// `setup okta` for one app, with these arguments more, and these variables changed.
    fn command(&self, arguments: &[&str], change: &[(&'static str, &str)]) -> Command {
        let all = [&["setup", "okta", "--address", ADDRESS, "--client", "0oaapp"], arguments].concat();
        let mut variables = self.variables();
        variables.extend(change.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let mut command = behalf(self.path(), &all);
        command.envs(variables.into_iter().filter(|(_, value)| !value.is_empty()));
        command
    }

    /// Runs it to its end. Whatever happens, no secret is shown and nothing is sent that must not be.
    async fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[]).await
    }

    async fn run_with(&self, arguments: &[&str], change: &[(&'static str, &str)]) -> Ended {
        let ended = run(&mut self.command(arguments, change)).await;
        let stored = fs::read_to_string(self.path().join("behalf-hook-secret")).unwrap_or_default();
        for secret in [SECRET, TOKEN, stored.trim()].into_iter().filter(|secret| !secret.is_empty()) {
            assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "a secret is shown: {ended:?}");
        }
        assert_eq!(self.okta.violations(), Vec::<String>::new());
        ended
    }

    /// All is there: a first run that went well.
    async fn set_up(&self) -> Ended {
        let ended = self.run(&[]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }
}

/// The lines of the output that begin so.
fn lines<'e>(ended: &'e Ended, beginning: &str) -> Vec<&'e str> {
    ended.out.lines().filter(|line| line.starts_with(beginning)).collect()
}

/// The hook that rules of a policy call, by the policy's name.
fn hooks_of(okta: &FakeOktaAdmin, policy: &str) -> Vec<Option<String>> {
    okta.set(|state| {
        let policy = state.policies.iter().find(|one| one.raw["name"] == policy).unwrap();
        let hook =
            |rule: &Value| rule.pointer("/actions/token/inlineHook/id").and_then(Value::as_str).map(str::to_owned);
        policy.rules.iter().map(hook).collect()
    })
}
