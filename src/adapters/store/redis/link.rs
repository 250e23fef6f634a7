//! The connections to one server process, as long as it is master. One that was restarted, or was a replica meanwhile,
//! may have another history: whoever holds a link knows whom it talks to.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, FromRedisValue, RedisConnectionInfo, RedisError, Script, aio::MultiplexedConnection, cmd,
};
use tokio::sync::{Notify, Semaphore};

use super::{
    Address, Dial,
    fault::{self, Fault},
    near::{self, Alive, Opening},
    stream,
};

/// Commands under way at a time. More wait for nothing: the server is not answering.
const MOST_UNDER_WAY: usize = 4096;
/// The oldest version whose commands are all there (`XTRIM … MINID`).
pub(super) const OLDEST: (u32, u32) = (6, 2);
/// Refused by a server (7 or newer) that takes no writes, and touches no key: so it can be asked of any node.
const WOULD_WRITE: &str = "#!lua\nreturn 1";

/// Connections to one server process.
pub(super) struct Link {
    alive: Alive,
    dial: Arc<Dial>,
    /// For threads that have no lane of their own.
    lanes: Vec<MultiplexedConnection>,
    /// For what blocks the connection it is sent on.
    side: MultiplexedConnection,
    /// Names the server process and its time as a master: what it holds has one history while this is the same.
    pub(super) line: String,
    /// Where it listens.
    pub(super) address: Address,
    turn: AtomicUsize,
    under_way: Semaphore,
    broken: AtomicBool,
    served: AtomicBool,
    /// Why it takes no writes, as far as is known.
    refuses: Mutex<Option<String>>,
    /// Woken when the link breaks.
    pub(super) broke: Notify,
}

impl Link {
    /// Connects, and makes sure that it is a master of a known version.
    pub(super) async fn open(address: &Address, mode: Mode, dial: &Arc<Dial>) -> Result<Self, Fault> {
        let (side, server) = greet(address, mode, dial).await?;
        server.keeps_all(address)?;
        let line = server.line();
        let mut lanes = Vec::with_capacity(dial.connections);
        for _ in 0..dial.connections.max(1) {
            lanes.push(another_lane(address, &line, dial).await?);
        }
        Ok(Self {
            alive: Arc::default(),
            dial: Arc::clone(dial),
            lanes,
            side,
            line,
            address: address.clone(),
            turn: AtomicUsize::new(0),
            under_way: Semaphore::new(MOST_UNDER_WAY),
            broken: AtomicBool::new(false),
            served: AtomicBool::new(false),
            refuses: Mutex::new(None),
            broke: Notify::new(),
        })
    }

    /// Sends on the next connection. An error of [`Fault::Lost`] may mean that it was executed all the same.
    pub(super) async fn call<T, F>(&self, send: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let Ok(_permit) = self.under_way.try_acquire() else {
            return Err(Fault::Away(format!("{MOST_UNDER_WAY} commands wait for an answer")));
        };
        let lane = self.lane().ok_or_else(fault::no_lane)?;
        let result = self.judged(send(lane).await);
        if matches!(result, Err(Fault::Silent(_))) {
            near::leave(&self.alive);
        }
        if result.is_ok() && !self.has_served() {
            self.served.store(true, Ordering::Relaxed);
        }
        result
    }

    fn lane(&self) -> Option<MultiplexedConnection> {
        let opening = Opening { address: &self.address, line: &self.line, dial: &self.dial };
        near::lane(&self.alive, &opening).or_else(|| {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            self.lanes.get(turn % self.lanes.len().max(1)).cloned()
        })
    }

    /// Whether anything of the store's was answered here.
    pub(super) fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// Sends where it may wait for long.
    pub(super) async fn call_aside<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, Fault> {
        self.judged(command.query_async(&mut self.side.clone()).await)
    }

    fn judged<T>(&self, result: Result<T, RedisError>) -> Result<T, Fault> {
        let fault = match result {
            Ok(value) => return Ok(value),
            Err(error) => fault::of(&error),
        };
        if fault.ends_the_link() {
            self.give_up();
        }
        if fault.refuses_writes() {
            self.set_refuses(Some(fault.to_string()));
        }
        Err(fault)
    }

    /// No more calls go this way.
    pub(super) fn give_up(&self) {
        if !self.broken.swap(true, Ordering::SeqCst) {
            self.broke.notify_waiters();
            self.broke.notify_one();
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// Why the server takes no writes, if it said so; it is asked again every now and then.
    pub(super) fn refuses_writes(&self) -> Option<String> {
        self.refuses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_refuses(&self, why: Option<String>) {
        *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Asks whether the server still answers, as the same process and as a master; if not, gives the link up. If it
    /// took no writes, asks whether it takes them again.
    pub(super) async fn probe(&self) {
        // Not on the side, where it might wait behind something slow.
        let Some(lane) = self.lanes.first() else { return };
        match self.judged(Server::ask(&mut lane.clone()).await) {
            Ok(server) if server.keeps_all(&self.address).is_err() => {
                tracing::error!(server = %self.address, "a Redis server may drop keys by itself now");
                self.give_up();
            }
            Ok(server) if server.master && server.line() == self.line => self.probe_writes(lane).await,
            Ok(_) => {
                tracing::warn!(server = %self.address, "a Redis server is no master any more, or was none for a while");
                self.give_up();
            }
            // A server that says an error is there.
            Err(fault) if !matches!(fault, Fault::Lost(_) | Fault::Silent(_)) => {}
            Err(_) => self.give_up(),
        }
    }

    async fn probe_writes(&self, lane: &MultiplexedConnection) {
        if self.refuses_writes().is_none() {
            return;
        }
        let asked: Result<i64, _> = Script::new(WOULD_WRITE).invoke_async(&mut lane.clone()).await;
        let refused = asked.err().map(|error| fault::of(&error)).filter(Fault::refuses_writes);
        // Another error is 6.2's, which doesn't know such scripts: there the next commit tells.
        self.set_refuses(refused.map(|fault| fault.to_string()));
    }

    /// Waits until a replica has all that was written before, at most that long. `None`: there is no replica.
    pub(super) async fn wait_for_replica(&self, mark: &[u8], within: Duration) -> Result<Option<bool>, Fault> {
        let Replicas(count) = self.call_aside(&cmd("ROLE")).await?;
        if count == 0 {
            return Ok(None);
        }
        // `WAIT` waits for what its own connection wrote, and what lies before that in the stream of replication.
        let _: () = self.call_aside(cmd("SET").arg(mark).arg("").arg("PX").arg(1000)).await?;
        let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let replicas: u64 = self.call_aside(cmd("WAIT").arg(1).arg(millis)).await?;
        Ok(Some(replicas > 0))
    }
}

/// One more connection to the server whose line this is.
pub(super) async fn another_lane(address: &Address, line: &str, dial: &Dial) -> Result<MultiplexedConnection, Fault> {
    let mut connection = connect(address, dial).await?;
    // Behind one address may stand many servers.
    let server = Server::ask(&mut connection).await.map_err(|error| fault::of_greeting(address, &error))?;
    if server.line() == line {
        return Ok(connection);
    }
    Err(Fault::Away(format!("{address} was restarted while it was being connected to")))
}

/// One connection, made ready: authenticated, with its database and its name.
pub(super) async fn connect(address: &Address, dial: &Dial) -> Result<MultiplexedConnection, Fault> {
    let login = dial.login();
    let stream = stream::open(address, dial.tls.as_ref(), dial.connect_timeout)
        .await
        .map_err(|error| fault::of_connection(address, &error, dial.tls.is_some()))?;
    let of_greeting = |error: RedisError| fault::of_first_word(address, &error, dial.tls.is_some());
    let greeting = async {
        let (mut connection, driver) = speak(&login, stream, dial).await.map_err(of_greeting)?;
        tokio::spawn(driver);
        let named = cmd("CLIENT").arg("SETNAME").arg(&dial.client_name).query_async(&mut connection).await;
        let () = named.map_err(|error| match of_greeting(error) {
            // Redis 6.2 doesn't say which of the many `CLIENT` commands it was.
            Fault::Refused(text) => Fault::Refused(format!("{text} (CLIENT SETNAME)")),
            other => other,
        })?;
        Ok(connection)
    };
    let greeted = tokio::time::timeout(dial.connect_timeout, greeting).await;
    greeted.unwrap_or_else(|_| Err(fault::unanswered(address)))
}

async fn speak(
    login: &RedisConnectionInfo,
    stream: Box<dyn stream::Stream>,
    dial: &Dial,
) -> Result<(MultiplexedConnection, impl Future<Output = ()> + Send + 'static), RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(Some(dial.response_timeout))
        .set_pipeline_buffer_size(MOST_UNDER_WAY);
    MultiplexedConnection::new_with_config(login, stream, config).await
}

/// How a server is to be run, for what the URL says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// On its own, or watched by sentinels.
    Alone,
    /// In a cluster.
    Node,
}

/// One connection to a server that is what it ought to be.
pub(super) async fn greet(
    address: &Address,
    mode: Mode,
    dial: &Dial,
) -> Result<(MultiplexedConnection, Server), Fault> {
    let (connection, server) = hello(address, mode, dial).await?;
    server.check(address)?;
    Ok((connection, server))
}

/// One connection to a server of the right kind, which may be a replica.
pub(super) async fn hello(
    address: &Address,
    mode: Mode,
    dial: &Dial,
) -> Result<(MultiplexedConnection, Server), Fault> {
    let mut connection = connect(address, dial).await?;
    let server = Server::ask(&mut connection).await.map_err(|error| fault::of_greeting(address, &error))?;
    match not_as_named(&server.mode, mode) {
        Some(why) => Err(Fault::Refused(format!("{address} {why}"))),
        None => Ok((connection, server)),
    }
}

/// What a server says of itself.
pub(super) struct Server {
    run_id: String,
    /// Another one whenever it becomes a master; replicas have their master's. Empty where the server doesn't tell.
    replication_id: String,
    version: (u32, u32),
    shown: String,
    master: bool,
    /// It reads its data still, and answers nothing about them.
    loading: bool,
    /// What it does when it is full; empty where it doesn't tell.
    policy: String,
    mode: String,
}

impl Server {
    pub(super) async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, RedisError> {
        // All sections at once: one that lists some of them is for Redis 7 and newer.
        let info: String = cmd("INFO").query_async(connection).await?;
        let text = |name| field(&info, name).unwrap_or_default().to_owned();
        let shown = text("redis_version");
        let mut parts = shown.split('.').map(|part| part.parse().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        Ok(Self {
            run_id: text("run_id"),
            replication_id: text("master_replid"),
            version,
            shown,
            master: field(&info, "role") == Some("master"),
            mode: mode_of(&info).to_owned(),
            loading: field(&info, "loading") == Some("1"),
            policy: text("maxmemory_policy"),
        })
    }

    /// See [`Link::line`].
    pub(super) fn line(&self) -> String {
        format!("{}/{}", self.run_id, self.replication_id)
    }

    /// A lock that the server dropped by itself would be a wrong yes.
    pub(super) fn keeps_all(&self, address: &Address) -> Result<(), Fault> {
        if self.policy.is_empty() || self.policy == "noeviction" {
            return Ok(());
        }
        Err(Fault::Refused(format!(
            "{address} has the maxmemory-policy {}, with which it may drop locks and records by itself; it must be \
             noeviction (BEHALF_STORE)",
            self.policy
        )))
    }

    fn check(&self, address: &Address) -> Result<(), Fault> {
        if self.run_id.is_empty() {
            return Err(Fault::Refused(
                "the server tells no run_id (INFO); without it nobody can say whether it has rolled back".to_owned(),
            ));
        }
        if self.version < OLDEST {
            return Err(Fault::Refused(format!("{address} is Redis {}; 6.2 or newer is needed", self.shown)));
        }
        if !self.master {
            return Err(Fault::Away(format!("{address} is a replica; the master is needed (BEHALF_STORE)")));
        }
        if self.loading {
            return Err(Fault::Away("the server is still reading its data".to_owned()));
        }
        Ok(())
    }
}

/// What is wrong with a server of this `redis_mode`.
pub(super) fn not_as_named(redis_mode: &str, mode: Mode) -> Option<&'static str> {
    match (redis_mode, mode) {
        ("cluster", Mode::Alone) => Some("is a node of a cluster: BEHALF_STORE must be `redis-cluster://…`"),
        ("standalone", Mode::Node) => Some("is no node of a cluster: BEHALF_STORE must be `redis://…`"),
        ("sentinel", _) => Some("is a sentinel: BEHALF_STORE must be `redis-sentinel://…/<master>`"),
        _ => None,
    }
}

/// How a server is run, by its `INFO server`. Valkey has another name for it.
pub(super) fn mode_of(info: &str) -> &str {
    field(info, "redis_mode").or_else(|| field(info, "server_mode")).unwrap_or_default()
}

/// A line `name:value` of `INFO`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// How many replicas `ROLE` tells of.
struct Replicas(usize);

impl FromRedisValue for Replicas {
    fn from_redis_value(value: redis::Value) -> Result<Self, redis::ParsingError> {
        let parts: Vec<redis::Value> = FromRedisValue::from_redis_value(value)?;
        let name: Option<String> = parts.first().and_then(|name| FromRedisValue::from_redis_value_ref(name).ok());
        Ok(match parts.get(2) {
            Some(redis::Value::Array(replicas)) if name.as_deref() == Some("master") => Self(replicas.len()),
            _ => Self(0),
        })
    }
}
