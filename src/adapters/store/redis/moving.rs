//! Redis as the one or the other side of a copy. Here, and only here, keys are looked for with `SCAN`.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use async_trait::async_trait;
use redis::{Pipeline, RedisError, Script, aio::MultiplexedConnection, cmd};

use super::{
    Address, Dial, Topology,
    fault::{self, Fault},
    keys::{Keys, PREFIX},
    link::{self, Server},
    places::Places,
    wire::{self, Meta, UNFINISHED},
};
use crate::{
    adapters::store::{
        format::{Head, KEY_BYTES},
        moving::{Counters, MoveError, Raw, Sink, Source},
    },
    domain::ids::TenantName,
    ports::{
        entropy,
        store::{Key, Seq, Stored},
    },
};

/// Keys that `SCAN` looks at in one step, and events of one batch.
const BATCH: usize = 500;
/// A batch may take longer than a hook may wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a copy's own connections are called.
const NAME: &str = "behalf-store-copy";
/// Stands where the run id of a server would: none has it, so the epoch is raised at the next start.
const NO_LINE: &str = "copied";

/// Servers of which one side of a copy consists.
pub struct RedisSide {
    places: Places,
    dial: Dial,
    /// What the services' connections are called.
    services: String,
    /// Stands for a tenant's counters until all is there, and tells our copy from another one.
    marker: Vec<u8>,
    open: HashMap<Address, (MultiplexedConnection, String)>,
    scan: Option<(TenantName, u64)>,
}

fn read(fault: &Fault) -> MoveError {
    MoveError::Read(fault.to_string())
}

fn write(fault: &Fault) -> MoveError {
    MoveError::Write(fault.to_string())
}

fn not_read(error: &RedisError) -> MoveError {
    read(&fault::of(error))
}

fn not_written(error: &RedisError) -> MoveError {
    write(&fault::of(error))
}

impl RedisSide {
    /// Finds the servers.
    pub async fn find(topology: &Topology, dial: &Dial) -> Result<Self, MoveError> {
        let services = dial.client_name.clone();
        let mut dial = dial.clone();
        NAME.clone_into(&mut dial.client_name);
        dial.response_timeout = PATIENCE;
        let places = Places::find(topology, &dial).await.map_err(|fault| MoveError::Refused(fault.to_string()))?;
        let marker = [UNFINISHED, b" ", &entropy::bytes::<16>(&*dial.entropy)].concat();
        Ok(Self { places, dial, services, marker, open: HashMap::new(), scan: None })
    }

    /// Refuses if a service seems to be connected to one of the servers.
    pub async fn nobody_serves(&mut self) -> Result<(), MoveError> {
        for address in self.places.all() {
            let (mut connection, _) = self.connection(&address).await.map_err(|fault| read(&fault))?;
            let mut list = cmd("CLIENT");
            list.arg("LIST");
            let said: Result<String, _> = list.query_async(&mut connection).await;
            let clients = said.map_err(|error| {
                let why = fault::explain(&error);
                MoveError::Refused(format!("whether somebody serves from {address} can't be told ({why}); --force"))
            })?;
            let name = format!(" name={} ", self.services);
            let count = clients.lines().filter(|line| line.contains(&name)).count();
            if count > 0 {
                return Err(MoveError::Refused(format!(
                    "{count} connections at {address} are called `{}`: stop every service first, or --force",
                    self.services
                )));
            }
        }
        Ok(())
    }

    async fn connection(&mut self, address: &Address) -> Result<(MultiplexedConnection, String), Fault> {
        if let Some(open) = self.open.get(address) {
            return Ok(open.clone());
        }
        let (connection, server) = link::greet(address, self.places.mode(), &self.dial).await?;
        let open = (connection, server.line());
        self.open.insert(address.clone(), open.clone());
        Ok(open)
    }

    async fn of(&mut self, tenant: &TenantName) -> Result<(MultiplexedConnection, String), Fault> {
        let address = self.places.of(tenant)?;
        self.connection(&address).await
    }
}

/// One step of `SCAN`: where to go on (0: it was the last), and keys.
async fn step(
    connection: &mut MultiplexedConnection,
    cursor: u64,
    pattern: &[u8],
) -> Result<(u64, Vec<Vec<u8>>), RedisError> {
    let mut scan = cmd("SCAN");
    scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(BATCH);
    scan.query_async(connection).await
}

fn tenant_of(key: &[u8]) -> Option<TenantName> {
    let name = std::str::from_utf8(key).ok()?.strip_prefix(PREFIX)?.strip_prefix('{')?.strip_suffix("}:m")?;
    TenantName::parse(name).ok()
}

async fn counters(connection: &mut MultiplexedConnection, tenant: TenantName) -> Result<Counters, MoveError> {
    let bytes: Option<Vec<u8>> =
        cmd("GET").arg(Keys(&tenant).counters()).query_async(connection).await.map_err(|error| not_read(&error))?;
    let Meta { version, seq, high, records, events, .. } = Meta::decode(bytes.as_deref())?;
    Ok(Counters { tenant, version, seq, high, records, events })
}

#[async_trait]
impl Source for RedisSide {
    async fn tenants(&mut self) -> Result<Vec<Counters>, MoveError> {
        let mut found = BTreeMap::new();
        let pattern = format!("{PREFIX}{{*}}:m");
        for address in self.places.all() {
            let (mut connection, _) = self.connection(&address).await.map_err(|fault| read(&fault))?;
            let mut cursor = 0;
            loop {
                let (next, keys) =
                    step(&mut connection, cursor, pattern.as_bytes()).await.map_err(|error| not_read(&error))?;
                for tenant in keys.iter().filter_map(|key| tenant_of(key)) {
                    found.insert(tenant.clone(), counters(&mut connection, tenant).await?);
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(found.into_values().collect())
    }

    async fn record(&mut self, tenant: &TenantName, key: Key) -> Result<Option<Vec<u8>>, MoveError> {
        let (mut connection, _) = self.of(tenant).await.map_err(|fault| read(&fault))?;
        cmd("GET").arg(Keys(tenant).record(key)).query_async(&mut connection).await.map_err(|error| not_read(&error))
    }

    async fn records(&mut self, tenant: &TenantName) -> Result<Option<Vec<Raw>>, MoveError> {
        let cursor = match &self.scan {
            Some((of, 0)) if of == tenant => return Ok(None),
            Some((of, cursor)) if of == tenant => *cursor,
            _ => 0,
        };
        let (mut connection, _) = self.of(tenant).await.map_err(|fault| read(&fault))?;
        let prefix = Keys(tenant).records();
        let pattern = [prefix.as_slice(), b"*"].concat();
        let (next, names) = step(&mut connection, cursor, &pattern).await.map_err(|error| not_read(&error))?;
        self.scan = Some((tenant.clone(), next));
        if names.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let values: Vec<Option<Vec<u8>>> =
            cmd("MGET").arg(&names).query_async(&mut connection).await.map_err(|error| not_read(&error))?;
        let mut batch = Vec::with_capacity(names.len());
        for (name, bytes) in names.iter().zip(values) {
            let key: Option<&[u8; KEY_BYTES]> = name.get(prefix.len()..).and_then(|rest| rest.try_into().ok());
            let foreign = || MoveError::Read(format!("{} is no record", String::from_utf8_lossy(name)));
            batch.push((Key::from_bytes(key.ok_or_else(foreign)?), bytes.ok_or_else(foreign)?));
        }
        Ok(Some(batch))
    }

    async fn events(&mut self, tenant: &TenantName, after: u64) -> Result<Vec<Stored>, MoveError> {
        let (mut connection, _) = self.of(tenant).await.map_err(|fault| read(&fault))?;
        let Some(range) = wire::events_behind(tenant, Seq(after), BATCH) else { return Ok(Vec::new()) };
        Ok(wire::stored(range.query_async(&mut connection).await.map_err(|error| not_read(&error))?)?)
    }
}

#[async_trait]
impl Sink for RedisSide {
    async fn line(&mut self, tenant: &TenantName) -> Result<Option<String>, MoveError> {
        let (_, line) = self.of(tenant).await.map_err(|fault| write(&fault))?;
        Ok(Some(line))
    }

    async fn begin(&mut self, tenants: &[TenantName]) -> Result<(), MoveError> {
        for tenant in tenants {
            let (mut connection, _) = self.of(tenant).await.map_err(|fault| write(&fault))?;
            let address = self.places.of(tenant).map_err(|fault| write(&fault))?;
            let server = Server::ask(&mut connection).await.map_err(|error| not_written(&error))?;
            server.keeps_all(&address).map_err(|fault| MoveError::Refused(fault.to_string()))?;
            is_free(&mut connection, tenant).await?;
        }
        for tenant in tenants {
            let (mut connection, _) = self.of(tenant).await.map_err(|fault| write(&fault))?;
            let mut set = cmd("SET");
            set.arg(Keys(tenant).counters()).arg(self.marker.as_slice()).arg("NX");
            let set: Option<String> = set.query_async(&mut connection).await.map_err(|error| not_written(&error))?;
            if set.is_none() {
                return Err(MoveError::Refused(format!("somebody else writes tenant `{tenant}` at this moment")));
            }
        }
        Ok(())
    }

    async fn records(&mut self, tenant: &TenantName, batch: Vec<Raw>) -> Result<u64, MoveError> {
        let (mut connection, _) = self.of(tenant).await.map_err(|fault| write(&fault))?;
        let (keys, mut pipe, mut rows) = (Keys(tenant), Pipeline::new(), Pipeline::new());
        for (key, bytes) in &batch {
            pipe.cmd("SET").arg(keys.record(*key)).arg(bytes.as_slice()).arg("NX");
            for row in Head::decode(key.kind, bytes)?.rows {
                let member = [&row.sort.to_be_bytes(), key.to_bytes().as_slice()].concat();
                rows.cmd("ZADD").arg(keys.index(row.index)).arg(0).arg(member).ignore();
            }
        }
        if batch.is_empty() {
            return Ok(0);
        }
        let set: Vec<Option<String>> = pipe.query_async(&mut connection).await.map_err(|error| not_written(&error))?;
        let _: () = rows.query_async(&mut connection).await.map_err(|error| not_written(&error))?;
        Ok(set.iter().flatten().count() as u64)
    }

    async fn events(&mut self, tenant: &TenantName, batch: Vec<Stored>) -> Result<(), MoveError> {
        let (mut connection, _) = self.of(tenant).await.map_err(|fault| write(&fault))?;
        let mut pipe = Pipeline::new();
        for event in &batch {
            pipe.cmd("XADD").arg(Keys(tenant).events()).arg(format!("{}-0", event.seq.0)).arg("e");
            pipe.arg(event.body.as_slice()).ignore();
        }
        pipe.query_async(&mut connection).await.map_err(|error| not_written(&error))
    }

    async fn end(&mut self, tenants: &[Counters]) -> Result<(), MoveError> {
        for counters in tenants {
            let (mut connection, _) = self.of(&counters.tenant).await.map_err(|fault| write(&fault))?;
            all_there(&mut connection, counters).await?;
            let finish = Script::new(FINISH);
            let mut call = finish.key(Keys(&counters.tenant).counters());
            let call = call.arg(self.marker.as_slice()).arg(encode(counters));
            let finished: i64 = call.invoke_async(&mut connection).await.map_err(|error| not_written(&error))?;
            if finished == 0 {
                return Err(meddled(&counters.tenant));
            }
        }
        Ok(())
    }
}

/// Puts the counters in the place of our own mark, and of nothing else.
const FINISH: &str =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end redis.call('SET', KEYS[1], ARGV[2]) return 1";

fn meddled(tenant: &TenantName) -> MoveError {
    MoveError::Write(format!("somebody else wrote to, or removed from, tenant `{tenant}` there meanwhile"))
}

/// Counts what was copied: nothing may have gone missing since.
async fn all_there(connection: &mut MultiplexedConnection, counters: &Counters) -> Result<(), MoveError> {
    let keys = Keys(&counters.tenant);
    let pattern = [keys.records().as_slice(), b"*"].concat();
    let (hasher, mut cursor, mut found) = (RandomState::new(), 0, HashSet::new());
    loop {
        let (next, names) = step(connection, cursor, &pattern).await.map_err(|error| not_written(&error))?;
        // `SCAN` may name a key twice.
        found.extend(names.iter().map(|name| hasher.hash_one(name)));
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    let events: u64 =
        cmd("XLEN").arg(keys.events()).query_async(connection).await.map_err(|error| not_written(&error))?;
    if (found.len() as u64, events) == (counters.records, counters.events) {
        Ok(())
    } else {
        Err(meddled(&counters.tenant))
    }
}

/// For the target; its time goes on from the highest that was shown.
fn encode(counters: &Counters) -> Vec<u8> {
    let Counters { version, seq, high, records, events, .. } = *counters;
    Meta { version, seq, high: high.max(0), records, events, skew: 0, line: NO_LINE.to_owned() }.encode()
}

async fn is_free(connection: &mut MultiplexedConnection, tenant: &TenantName) -> Result<(), MoveError> {
    let pattern = format!("{PREFIX}{{{tenant}}}:*");
    let mut cursor = 0;
    loop {
        let (next, keys) = step(connection, cursor, pattern.as_bytes()).await.map_err(|error| not_written(&error))?;
        if !keys.is_empty() {
            break;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
    let found: Option<Vec<u8>> =
        cmd("GET").arg(Keys(tenant).counters()).query_async(connection).await.map_err(|error| not_written(&error))?;
    Err(MoveError::Refused(match found {
        Some(bytes) if bytes.starts_with(UNFINISHED) => {
            format!(
                "tenant `{tenant}` is being copied to the target at this moment, or is left over from a copy that was broken \
                 off: if so, remove {pattern} first"
            )
        }
        Some(_) => format!("tenant `{tenant}` is in the target already; nothing is overwritten"),
        None => format!("there are keys {pattern} in the target; nothing is overwritten"),
    }))
}
