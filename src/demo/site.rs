//! A behalf as a process of its own.

use std::path::PathBuf;

use serde_json::Value;

use super::{
    authorization_server::DevServer,
    backstage::{Backstage, Child},
    set::variables,
};
use crate::adapters::audit::signing::KEY_FILE;

/// Budgets for a machine that is busy with other things: what is shown here is who wins, not how fast.
const PATIENT: [(&str, &str); 5] = [
    ("BEHALF_BUDGET_HOOK", "2900ms"),
    ("BEHALF_BUDGET_DIRECTORY", "800ms"),
    ("BEHALF_BUDGET_COMMIT", "1900ms"),
    ("BEHALF_REDIS_RESPONSE_TIMEOUT", "1900ms"),
    ("BEHALF_DRAIN_DELAY", "0s"),
];

/// A process that serves.
pub(super) struct Site {
    /// How lines name it.
    pub(super) name: char,
    pub(super) url: String,
    pub(super) child: Child,
}

impl Site {
    /// Starts this program once more, with nothing in its environment but its configuration, and waits until it is
    /// ready. The Redis is an address and its password.
    pub(super) async fn start(
        name: char,
        issuer: &DevServer,
        secret: &str,
        redis: Option<(&str, &str)>,
        backstage: &Backstage,
    ) -> Result<Self, String> {
        let process = format!("behalf-{name}");
        let mut command = backstage.command(&process, this_program()?)?;
        command.arg("serve").env_clear();
        command.envs(variables(issuer.issuer(), secret, &backstage.path("users.yaml"))).envs(PATIENT);
        command.env("BEHALF_SIGNING_KEY_FILE", backstage.path(KEY_FILE));
        if let Some((address, password)) = redis {
            command.env("BEHALF_STORE", format!("redis://{address}")).env("BEHALF_REDIS_PASSWORD", password);
        }
        let mut child = backstage.start(&process, command)?;
        let url = child.line(ready).await?;
        Ok(Self { name, url, child })
    }
}

/// The address in the log line that tells of readiness.
fn ready(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let address = (line["message"] == "ready").then(|| line["address"].as_str())??;
    Some(format!("http://{address}"))
}

/// Where this program lies.
pub(super) fn this_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("this program can't be found: {error}"))
}
