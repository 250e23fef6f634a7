//! `behalf health`: is a running service ready?

use std::process::ExitCode;

use super::fail;
use crate::adapters::http_client;

/// Succeeds if `/readyz` answers 200.
pub(super) async fn run(url: &str) -> ExitCode {
    let client = match http_client::build(None) {
        Ok(client) => client,
        Err(error) => return fail(&error),
    };
    match client.get(format!("{}/readyz", url.trim_end_matches('/'))).send().await {
        Ok(answer) if answer.status().is_success() => ExitCode::SUCCESS,
        Ok(answer) => fail(&format!("{url} answers {}", answer.status())),
        Err(error) => fail(&format!("{url} does not answer: {}", http_client::explain(&error))),
    }
}
