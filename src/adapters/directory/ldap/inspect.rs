//! What an operator ought to know of the servers.

use std::sync::Arc;

use super::{Settings, Trust, line::Line};
use crate::{adapters::finding::Finding, ports::clock::Clock};

/// Asks every server. Writes nothing.
pub async fn inspect(settings: &Settings, trust: &Trust, _clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, server) in settings.servers.iter().enumerate() {
        match Line::open(settings, at, trust).await {
            Ok(_) => found.push(Finding::good("signed in").at(server)),
            Err(error) => found.push(Finding::error(error.to_string())),
        }
    }
    found
}
