//! What happens to the sealed audit trail.

use std::{path::PathBuf, time::Duration};

use super::{
    duration::duration,
    mistakes::{Fault, Read, fault},
    reader::Reader,
    settings,
};

/// What happens to the sealed audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// The key that signs; `None`: one beside the data.
    pub signing_key: Option<PathBuf>,
    /// The key that signed before.
    pub former_key: Option<PathBuf>,
    /// Where sealed entries go besides the store.
    pub sink: SinkKind,
    /// How long the store keeps entries that a durable sink has.
    pub keep: Duration,
}

/// Where sealed entries go besides the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkKind {
    /// Nowhere.
    Off,
    /// Standard output, among the log's lines.
    Stdout,
    /// A file of JSON lines.
    File(PathBuf),
}

/// How many processes write the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writers {
    /// One, beside its data.
    One,
    /// Replicas, on a store they share.
    Many,
}

pub(super) fn audit(r: &mut Reader<'_>, writers: Writers) -> Read<AuditSettings> {
    let signing_key = signing_key(r, writers);
    let former_key = r.existing_file(&settings::FORMER_KEY);
    let sink = sink(r, writers);
    let keep = keep(r, writers);
    Ok(AuditSettings { signing_key: signing_key?, former_key: former_key?, sink: sink?, keep: keep? })
}

fn signing_key(r: &mut Reader<'_>, writers: Writers) -> Read<Option<PathBuf>> {
    let file = r.existing_file(&settings::SIGNING_KEY)?;
    if file.is_none() && writers == Writers::Many {
        let remedy = "name a file with an Ed25519 private key (PKCS#8; `openssl genpkey -algorithm ed25519 -out key.pem`), the same for every replica";
        let what = "is missing: with Redis as the store no key is made, because all replicas sign with one";
        return Err(r.wrong(&settings::SIGNING_KEY, fault(what, remedy)));
    }
    Ok(file)
}

fn sink(r: &mut Reader<'_>, writers: Writers) -> Read<SinkKind> {
    let dir = r.sources.dir.clone();
    r.value(&settings::AUDIT_SINK, |text| match text.split_once(':') {
        None if text == "off" => Ok(SinkKind::Off),
        None if text == "stdout" => Ok(SinkKind::Stdout),
        Some(("file", path)) if !path.is_empty() && writers == Writers::Many => {
            let what = "names a file, of which each replica on the Redis store would write a part";
            Err(fault(what, "give `stdout`, or give `off` and fetch the entries by `behalf audit export`"))
        }
        Some(("file", path)) if !path.is_empty() => Ok(SinkKind::File(dir.join(path))),
        _ => Err(fault("names no sink", "give `off`, `stdout` or `file:<path>`")),
    })
}

/// The shortest time for which entries are kept.
const LEAST_KEPT: Duration = Duration::from_hours(1);
/// The default with Redis, which holds them in memory.
const KEPT_IN_REDIS: Duration = Duration::from_hours(7 * 24);

fn keep(r: &mut Reader<'_>, writers: Writers) -> Read<Duration> {
    if writers == Writers::Many && !r.is_given(&settings::AUDIT_KEEP) {
        return Ok(KEPT_IN_REDIS);
    }
    r.value(&settings::AUDIT_KEEP, long_enough)
}

fn long_enough(text: &str) -> Result<Duration, Fault> {
    let keep = duration(text)?;
    if keep < LEAST_KEPT {
        let remedy = "give at least `1h`: entries that go sooner than somebody fetches the checkpoint they go with \
                      can't be tied to what is left";
        return Err(fault(format!("`{text}` is too short"), remedy));
    }
    Ok(keep)
}
