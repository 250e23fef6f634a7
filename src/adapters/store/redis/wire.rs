//! What goes to the scripts and comes back from them, as bytes.

use jiff::Timestamp;
use redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError, Script, ScriptInvocation, ServerErrorKind, Value,
    aio::MultiplexedConnection,
};

use super::keys::Keys;
use crate::{
    adapters::store::format::{Head, Input},
    domain::ids::TenantName,
    ports::store::{
        Change, Committed, Expect, Index, Key, Kind, Lease, Page, Record, Seq, StoreError, Stored, Unreadable,
    },
};

/// The layout of a tenant's counters.
const META_FORMAT: u8 = 1;
/// In place of the counters while the tenant is being copied here. It begins with a format that nobody reads.
pub(super) const UNFINISHED: &[u8] = b"\0an unfinished copy";

/// A tenant's counters, as far as readers care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    /// The highest version ever given.
    pub(super) version: u64,
    pub(super) seq: u64,
    /// The highest time of a commit, in microseconds.
    pub(super) high: i64,
    pub(super) records: u64,
    pub(super) events: u64,
    /// How far the store's time is ahead of the server's, in microseconds: it was set back once.
    pub(super) skew: i64,
    /// The run id of the server on which the epoch was raised last.
    pub(super) line: String,
}

impl Meta {
    /// Of a tenant that has nothing yet.
    pub(super) const EMPTY: Self =
        Self { version: 0, seq: 0, high: i64::MIN, records: 0, events: 0, skew: 0, line: String::new() };

    pub(super) fn decode(bytes: Option<&[u8]>) -> Result<Self, Unreadable> {
        let Some(bytes) = bytes else { return Ok(Self::EMPTY) };
        if bytes.starts_with(UNFINISHED) {
            let text = "the tenant lies here unfinished, because `behalf store copy` was broken off: remove its keys";
            return Err(Unreadable(text.to_owned()));
        }
        let mut input = Input(bytes);
        input.format("a tenant's counters", META_FORMAT)?;
        Ok(Self {
            version: u64::from_be_bytes(input.take()?),
            seq: u64::from_be_bytes(input.take()?),
            high: i64::from_be_bytes(input.take()?),
            records: u64::from_be_bytes(input.take()?),
            events: u64::from_be_bytes(input.take()?),
            skew: i64::from_be_bytes(input.take()?),
            line: String::from_utf8_lossy(input.0).into_owned(),
        })
    }

    /// As `commit.lua` writes them.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![META_FORMAT];
        for number in [self.version, self.seq, self.high.cast_unsigned(), self.records, self.events] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.skew.to_be_bytes());
        out.extend_from_slice(self.line.as_bytes());
        out
    }
}

/// A record from its bytes.
pub(super) fn record(kind: Kind, bytes: &[u8]) -> Result<Record, Unreadable> {
    Ok(Head::decode(kind, bytes)?.to_record())
}

/// Whom a script is told about the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    /// In tests: the time, in microseconds, instead of the server's.
    pub(super) fixed: Option<i64>,
    /// How far ahead of the server's time this process has shown the tenant's.
    pub(super) skew: i64,
}

impl Time {
    pub(super) fn args(self, call: &mut ScriptInvocation<'_>) {
        call.arg(self.fixed.map_or_else(String::new, |at| at.to_string())).arg(self.skew);
    }
}

/// The script that commits, with all it needs. `line`: the run id of the server that it is for.
pub(super) fn commit<'a>(
    script: &'a Script,
    tenant: &TenantName,
    change: &Change,
    line: &str,
    time: Time,
) -> ScriptInvocation<'a> {
    let keys = Keys(tenant);
    let fence = change.fence.as_ref();
    let mut call = script.prepare_invoke();
    call.key(keys.counters()).key(keys.events()).key(keys.attempt(change.id));
    call.key(keys.lease(fence.map_or("", |fence| &fence.lease)));
    let written = change.puts.iter().map(|put| put.key).chain(change.drops.iter().copied());
    for key in change.expect.iter().map(|(key, _)| *key).chain(written) {
        call.key(keys.record(key));
    }
    call.arg(line).arg(if change.begins.is_some() { "1" } else { "" });
    time.args(&mut call);
    call.arg(change.not_after.as_microsecond())
        .arg(fence.map_or_else(String::new, |fence| fence.token.to_string()))
        .arg(change.forget.map_or_else(String::new, |up_to| up_to.0.to_string()))
        .arg(change.expect.len())
        .arg(change.puts.len())
        .arg(change.drops.len())
        .arg(keys.indexes())
        .arg(keys.channel());
    for (_, expect) in &change.expect {
        let (how, version) = match expect {
            Expect::Absent => ("absent", 0),
            Expect::Version(version) => ("version", *version),
            Expect::VersionLive(version) => ("live", *version),
        };
        call.arg(how).arg(version);
    }
    for put in &change.puts {
        let head = Head {
            version: 0,
            live_until: put.live_until,
            drop_at: put.drop_at,
            last_change: change.id,
            rows: put.indexes.clone(),
            body: &put.body,
        };
        call.arg(head.encode());
    }
    for event in &change.events {
        call.arg(event.as_slice());
    }
    call
}

/// Has a script run.
pub(super) async fn invoke<T: FromRedisValue>(
    script: &Script,
    call: &ScriptInvocation<'_>,
    mut lane: MultiplexedConnection,
) -> Result<T, RedisError> {
    match call.invoke_async(&mut lane).await {
        // Forgotten again since it was loaded. Sent in one go, nothing comes between.
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            let mut pipe = redis::pipe();
            pipe.load_script(script).ignore().invoke_script(call);
            let (answer,) = pipe.query_async(&mut lane).await?;
            Ok(answer)
        }
        answered => answered,
    }
}

/// What the script that commits says.
#[derive(Debug)]
pub(super) enum Reply {
    Number(i64),
    Text(String),
}

impl FromRedisValue for Reply {
    fn from_redis_value(value: Value) -> Result<Self, redis::ParsingError> {
        match value {
            Value::Int(number) => Ok(Self::Number(number)),
            other => String::from_redis_value(other).map(Self::Text),
        }
    }
}

/// Whether the server has become another's replica, and a master again, since the link to it was made.
pub(super) fn is_of_another_line((code, reply): &(i64, Reply)) -> bool {
    *code == 5 && matches!(reply, Reply::Number(1))
}

/// What became of the change.
pub(super) fn committed(change: &Change, (code, reply): (i64, Reply)) -> Result<Committed, StoreError> {
    let number = match &reply {
        Reply::Number(number) => u64::try_from(*number).unwrap_or(0),
        Reply::Text(_) => 0,
    };
    match (code, reply) {
        (1, _) => Ok(Committed::Done((number..).take(change.events.len()).map(Seq).collect())),
        (2, _) => {
            let which = usize::try_from(number).ok().and_then(|n| change.expect.get(n.checked_sub(1)?));
            which.map(|(key, _)| Committed::Conflict(*key)).ok_or_else(|| strange("a conflict with nothing"))
        }
        (3, _) => Ok(Committed::Fenced),
        (4, _) => Ok(Committed::Late),
        (5, _) => Err(StoreError::RolledBack),
        (6, Reply::Text(why)) => Err(StoreError::Unavailable(why)),
        (7, Reply::Text(why)) => Err(StoreError::Unreadable(why)),
        _ => Err(strange("an answer that the script can't give")),
    }
}

fn strange(what: &str) -> StoreError {
    StoreError::Unknown(format!("Redis gave {what}"))
}

/// The bounds of a page, as `ZRANGEBYLEX` has them.
pub(super) fn bounds(page: Page) -> (Vec<u8>, Vec<u8>) {
    let from = page.after.map_or_else(|| b"-".to_vec(), |(sort, key)| member(b'(', sort, &key.to_bytes()));
    (from, member(b'[', page.up_to, &[0xff; 42]))
}

fn member(kind: u8, sort: u64, key: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&sort.to_be_bytes());
    out.extend_from_slice(key);
    out
}

/// Position and record of a member of an index.
pub(super) fn row(member: &[u8]) -> Result<(u64, Key), Unreadable> {
    let mut input = Input(member);
    Ok((u64::from_be_bytes(input.take()?), Key::from_bytes(&input.take()?)))
}

/// The script that lists, with all it needs; it asks for one row more than the page has.
pub(super) fn list<'a>(
    script: &'a Script,
    tenant: &TenantName,
    index: Index,
    page: Page,
    limit: usize,
) -> ScriptInvocation<'a> {
    let (from, to) = bounds(page);
    let mut call = script.prepare_invoke();
    call.key(Keys(tenant).counters()).key(Keys(tenant).index(index));
    call.arg(from).arg(to).arg(limit + 1).arg(Keys(tenant).records());
    call
}

/// Ids, each with its one field.
pub(super) type Events = Vec<(String, (Vec<u8>, Vec<u8>))>;

/// Asks for so many events behind this one; `None`: there can be none.
pub(super) fn events_behind(tenant: &TenantName, after: Seq, limit: usize) -> Option<Cmd> {
    let mut command = redis::cmd("XRANGE");
    command.arg(Keys(tenant).events()).arg(format!("{}-0", after.0.checked_add(1)?)).arg("+");
    command.arg("COUNT").arg(limit);
    Some(command)
}

/// The events of an answer.
pub(super) fn stored(found: Events) -> Result<Vec<Stored>, Unreadable> {
    let number = |id: &str| id.strip_suffix("-0").and_then(|seq| seq.parse().ok()).map(Seq);
    let stored = |(id, (_, body)): (String, (Vec<u8>, Vec<u8>))| {
        let seq = number(&id).ok_or_else(|| Unreadable(format!("an event has the number {id}")))?;
        Ok(Stored { seq, body })
    };
    found.into_iter().map(stored).collect()
}

/// Microseconds since 1970 as a time.
pub(super) fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// What the script for leases says.
pub(super) fn lease(reply: &[Value]) -> Result<Option<Lease>, StoreError> {
    let number = |value: &Value| i64::from_redis_value_ref(value).ok();
    match reply {
        [Value::Int(0)] => Ok(None),
        [Value::Int(1), token, until] => {
            let token = number(token).and_then(|token| u64::try_from(token).ok());
            let lease = token.zip(number(until)).map(|(token, until)| Lease { token, until: time(until) });
            lease.map(Some).ok_or_else(|| strange("a lease without numbers"))
        }
        [Value::Int(7), why] => Err(StoreError::Unreadable(String::from_redis_value_ref(why).unwrap_or_default())),
        _ => Err(strange("an answer that the script can't give")),
    }
}
