//! Records read through the process that has the data open. For commands that look and change nothing.

use std::path::PathBuf;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::admin;
use crate::{
    domain::{hex::hex, ids::TenantName},
    ports::store::{
        Change, ChangeId, Committed, Hints, Index, Key, Lease, ListPage, Page, Record, Seq, Snapshot, Store,
        StoreError, Stored,
    },
};

/// Records that one question may name.
const MOST_KEYS: usize = 16;

/// The store of a running process; it only reads.
pub struct ThroughProcess {
    socket: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    now: Timestamp,
    records: Vec<Told>,
}

#[derive(Serialize, Deserialize)]
struct Told {
    key: String,
    version: u64,
    live_until: Option<Timestamp>,
    drop_at: Option<Timestamp>,
    body: String,
}

/// The process's side: `read`.
pub(super) async fn answer(request: &Value, store: &dyn Store) -> Result<Value, String> {
    let tenant = request.get("tenant").and_then(Value::as_str).ok_or("`tenant` is missing")?;
    let tenant = TenantName::parse(tenant).map_err(|error| format!("`tenant` {error}"))?;
    let keys = request.get("keys").and_then(Value::as_array).filter(|keys| keys.len() <= MOST_KEYS);
    let keys = keys.and_then(|keys| keys.iter().map(|key| key_of(key.as_str()?)).collect::<Option<Vec<Key>>>());
    let keys = keys.ok_or_else(|| format!("`keys` is a list of at most {MOST_KEYS} keys in hex"))?;
    let snapshot = store.read(&tenant, &keys).await.map_err(|error| error.to_string())?;
    let told = |(key, record): (&Key, &Record)| Told {
        key: hex(&key.to_bytes()),
        version: record.version,
        live_until: record.live_until,
        drop_at: record.drop_at,
        body: URL_SAFE_NO_PAD.encode(&record.body),
    };
    let answer = Answer { now: snapshot.now, records: snapshot.records.iter().map(told).collect() };
    serde_json::to_value(answer).map_err(|error| error.to_string())
}

fn key_of(text: &str) -> Option<Key> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    let bytes: [u8; 41] = bytes.try_into().ok().filter(|_| digits.len() == 82)?;
    Some(Key::from_bytes(&bytes))
}

impl ThroughProcess {
    /// The store of the process that serves this socket.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }
}

impl Told {
    fn read(self) -> Option<(Key, Record)> {
        let Self { key, version, live_until, drop_at, body } = self;
        let body = URL_SAFE_NO_PAD.decode(body).ok()?;
        // Whoever only reads has no change of his own to recognise.
        let last_change = ChangeId([0; 16]);
        Some((key_of(&key)?, Record { version, live_until, drop_at, last_change, body }))
    }
}

fn only_reads() -> StoreError {
    StoreError::Unavailable("through the running process records are only read".to_owned())
}

#[async_trait]
impl Store for ThroughProcess {
    async fn read(&self, tenant: &TenantName, keys: &[Key]) -> Result<Snapshot, StoreError> {
        let keys: Vec<String> = keys.iter().map(|key| hex(&key.to_bytes())).collect();
        let asked = admin::ask(&self.socket, &json!({"cmd": "read", "tenant": tenant, "keys": keys})).await;
        let answer = asked.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let answer: Answer =
            serde_json::from_value(answer).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let records = answer.records.into_iter().map(Told::read).collect::<Option<_>>();
        let records = records.ok_or_else(|| StoreError::Unreadable("a record of the running process".to_owned()))?;
        Ok(Snapshot { now: answer.now, records })
    }

    async fn commit(&self, _: &TenantName, _: Change) -> Result<Committed, StoreError> {
        Err(only_reads())
    }

    async fn list(&self, _: &TenantName, _: Index, _: Page) -> Result<ListPage, StoreError> {
        Err(only_reads())
    }

    async fn events(&self, _: &TenantName, _: Seq, _: usize) -> Result<Vec<Stored>, StoreError> {
        Err(only_reads())
    }

    async fn lease(
        &self,
        _: &TenantName,
        _: &str,
        _: &str,
        _: jiff::SignedDuration,
    ) -> Result<Option<Lease>, StoreError> {
        Err(only_reads())
    }

    fn changed(&self, _: &TenantName) -> Hints {
        Box::pin(futures_util::stream::pending())
    }

    async fn incarnation(&self, _: &TenantName) -> Result<String, StoreError> {
        Err(only_reads())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::ids::RecordId, ports::store::Kind};

    #[test]
    fn a_key_has_one_spelling() {
        let key = Key { kind: Kind(3), id: RecordId::natural(&["a"]) };
        let text = hex(&key.to_bytes());
        assert_eq!(key_of(&text), Some(key));
        for bad in ["", &text[1..], &format!("{text}0"), &text.replace('0', "g"), "é"] {
            assert_eq!(key_of(bad), None, "{bad}");
        }
    }
}
