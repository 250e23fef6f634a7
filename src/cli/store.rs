//! `behalf store`: a look at the embedded store, through the running process or, without one, at the file.

use std::{path::PathBuf, process::ExitCode};

use serde_json::{Value, json};

use super::{fail, print};
use crate::{
    adapters::{
        store::embedded::{
            admin::{self, AskError},
            status,
        },
        system::SystemClock,
    },
    config::{Config, StoreKind},
};

/// Prints the store's status as JSON.
pub(super) async fn status(data: Option<PathBuf>) -> ExitCode {
    let folder = match folder(data) {
        Ok(folder) => folder,
        Err(why) => return fail(&why),
    };
    let shown = match admin::ask(&folder.join(admin::SOCKET), &json!({"cmd": "status"})).await {
        Ok(answer) => Ok(answer),
        Err(AskError::NotRunning(_)) => offline(&folder),
        Err(error) => Err(error.to_string()),
    };
    match shown {
        Ok(value) => print(&format!("{value:#}\n")),
        Err(why) => fail(&why),
    }
}

pub(super) fn folder(data: Option<PathBuf>) -> Result<PathBuf, String> {
    if let Some(folder) = data {
        return Ok(folder);
    }
    match Config::from_process().map_err(|mistakes| mistakes.to_string())?.store {
        StoreKind::Embedded(folder) => Ok(folder),
        StoreKind::Memory => Err("BEHALF_STORE is `memory`: there is nothing to look at from outside".to_owned()),
    }
}

fn offline(folder: &std::path::Path) -> Result<Value, String> {
    let status = status::status_offline(folder, &SystemClock).map_err(|error| error.to_string())?;
    serde_json::to_value(status).map_err(|error| error.to_string())
}
