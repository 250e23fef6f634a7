//! What seals the audit trail and carries it out of the house.

use std::{fs::OpenOptions, path::Path, sync::Arc};

use jiff::SignedDuration;

use super::BootError;
use crate::{
    adapters::audit::{
        file::JsonLines,
        signing::{self, KEY_FILE, KeyError, SigningKey},
        stdout::Stdout,
    },
    app::{retention::Retention, sealer::Sealer},
    config::{AuditSettings, Config, SinkKind, StoreKind},
    ports::{audit_sink::AuditSink, entropy::Entropy, signer::Signer},
};

/// The sealer, with the key of the settings or the one beside the data; and the key.
pub(super) fn sealer(
    settings: &AuditSettings,
    data: Option<&Path>,
    entropy: &dyn Entropy,
) -> Result<(Sealer, Arc<dyn Signer>), BootError> {
    let signer: Arc<dyn Signer> = Arc::new(match (&settings.signing_key, data) {
        (Some(file), _) => SigningKey::load(file).map_err(|e| key_error("BEHALF_SIGNING_KEY_FILE", &e))?,
        (None, Some(folder)) => SigningKey::load_or_make(folder, entropy).map_err(|e| key_error("BEHALF_STORE", &e))?,
        (None, None) => SigningKey::ephemeral(entropy).map_err(|e| key_error("BEHALF_STORE", &e))?,
    });
    let former = match (&settings.former_key, data.map(|folder| folder.join(KEY_FILE))) {
        (Some(file), _) => Some(SigningKey::load(file).map_err(|e| key_error("BEHALF_SIGNING_KEY_PREVIOUS_FILE", &e))?),
        // A key that is given takes over from the one that was made.
        (None, Some(made)) if settings.signing_key.is_some() && made.exists() => {
            Some(SigningKey::load(&made).map_err(|e| key_error("BEHALF_STORE", &e))?)
        }
        _ => None,
    };
    let former = former.map(|key| Arc::new(key) as Arc<dyn Signer>);
    let sealer = Sealer::new(Arc::clone(&signer), former, entropy);
    Ok((if data.is_some() { sealer.named("the only process on these data") } else { sealer }, signer))
}

/// Reads the keys that serving would read, and makes none: what signs, or what is wrong.
pub(super) fn signing_key(settings: &AuditSettings, data: Option<&Path>) -> Result<String, String> {
    let read = |file: &Path, setting: &str| SigningKey::load(file).map_err(|error| format!("{setting} {error}"));
    let made = data.map(|folder| folder.join(KEY_FILE)).filter(|file| file.exists());
    if let Some(file) = &settings.former_key {
        read(file, "BEHALF_SIGNING_KEY_PREVIOUS_FILE")?;
    }
    let made = made.map(|file| read(&file, "BEHALF_STORE")).transpose()?;
    let given = settings.signing_key.as_deref().map(|file| read(file, "BEHALF_SIGNING_KEY_FILE")).transpose()?;
    let signs = given.or(made).map(|key| key.public_key().id().to_string());
    Ok(signs.unwrap_or_else(|| "will be made".to_owned()))
}

fn key_error(setting: &'static str, error: &KeyError) -> BootError {
    BootError::SigningKey(setting, error.to_string())
}

/// The sink, if there is to be one.
pub(super) fn sink(settings: &AuditSettings) -> Option<Arc<dyn AuditSink>> {
    match &settings.sink {
        SinkKind::Off => None,
        SinkKind::Stdout => Some(Arc::new(Stdout)),
        SinkKind::File(path) => Some(Arc::new(JsonLines::new(path))),
    }
}

/// Whether the sink takes lines, as far as that can be told without writing one.
pub(super) fn sink_is_there(settings: &AuditSettings) -> Result<String, String> {
    let path = match &settings.sink {
        SinkKind::Off => return Ok("off".to_owned()),
        SinkKind::Stdout => return Ok("stdout".to_owned()),
        SinkKind::File(path) => path,
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wrong =
        |what: String| format!("BEHALF_AUDIT_SINK {}: {what}; make the folder, or name another file", path.display());
    if path.exists() {
        OpenOptions::new().append(true).open(path).map_err(|error| wrong(error.to_string()))?;
        return Ok(format!("{} can be written", path.display()));
    }
    if path.file_name().is_none() || !folder.is_dir() {
        return Err(wrong("there is no such folder".to_owned()));
    }
    Ok(format!("{} will be made", path.display()))
}

/// What is dropped, and when: nothing where the sink keeps nothing.
/// With a shared store, which has no file, what was written to standard output counts as kept: the platform collects it.
pub(super) fn retention(config: &Config, sink: Option<&dyn AuditSink>) -> Retention {
    let shared = matches!(config.store, StoreKind::Redis(_));
    let sinks = sink.filter(|sink| shared || sink.durable()).map(|sink| sink.name().to_owned());
    let keep = SignedDuration::try_from(config.audit.keep).unwrap_or(SignedDuration::MAX);
    Retention { keep, sinks: sinks.into_iter().collect(), verify: signing::verify }
}
