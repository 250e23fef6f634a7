//! `behalf health`: is a running service ready?

use std::{net::IpAddr, process::ExitCode};

use super::fail;
use crate::{
    adapters::http_client,
    config::{Config, Server},
};

/// Succeeds if `/readyz` answers 200, at `url` or, without one, where the configuration says that the service listens.
/// Trusts what the service trusts.
pub(super) async fn run(url: Option<String>) -> ExitCode {
    let config = Config::from_process();
    let ca_file = config.as_ref().ok().and_then(|config| config.ca_file.clone());
    let url = match (url, config) {
        (Some(url), _) => url,
        (None, Ok(config)) => address(&config.server),
        (None, Err(mistakes)) => return fail(&mistakes),
    };
    let client = match http_client::build(ca_file.as_deref()) {
        Ok(client) => client,
        Err(error) => return fail(&error),
    };
    match client.get(format!("{}/readyz", url.trim_end_matches('/'))).send().await {
        Ok(answer) if answer.status().is_success() => ExitCode::SUCCESS,
        Ok(answer) => fail(&format!("{url} answers {}", answer.status())),
        Err(error) => fail(&format!("{url} does not answer: {}", http_client::explain(&error))),
    }
}

/// Who listens on every address is asked on the loopback interface.
pub(super) fn address(server: &Server) -> String {
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    let mut at = server.bind;
    if at.ip().is_unspecified() {
        let loopback =
            |v4: bool| if v4 { IpAddr::from([127, 0, 0, 1]) } else { IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16]) };
        at.set_ip(loopback(at.is_ipv4()));
    }
    format!("{scheme}://{at}")
}
