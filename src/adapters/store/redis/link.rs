//! The connections to one server process. A process that was restarted is another one, with another run id: whoever
//! holds a link knows whom it talks to.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use redis::{AsyncConnectionConfig, FromRedisValue, RedisConnectionInfo, RedisError, aio::MultiplexedConnection, cmd};
use tokio::sync::{Notify, Semaphore};

use super::{
    Address, Dial,
    fault::{self, Fault},
    stream,
};

/// Commands under way at a time. More wait for nothing: the server is not answering.
const MOST_UNDER_WAY: usize = 4096;
/// The oldest version whose commands are all there (`XTRIM … MINID`).
pub(super) const OLDEST: (u32, u32) = (6, 2);

/// Connections to one server process.
pub(super) struct Link {
    lanes: Vec<MultiplexedConnection>,
    /// For what blocks the connection it is sent on.
    side: MultiplexedConnection,
    /// Names the server process.
    pub(super) run_id: String,
    /// Where it listens.
    pub(super) address: Address,
    turn: AtomicUsize,
    under_way: Semaphore,
    broken: AtomicBool,
    /// Woken when the link breaks.
    pub(super) broke: Notify,
}

impl Link {
    /// Connects, and makes sure that it is a master of a known version.
    pub(super) async fn open(address: &Address, mode: Mode, dial: &Dial) -> Result<Self, Fault> {
        let (side, server) = greet(address, mode, dial).await?;
        let mut lanes = Vec::with_capacity(dial.connections);
        for _ in 0..dial.connections.max(1) {
            let mut lane = connect(address, dial).await?;
            // Behind one address may stand many servers.
            if Server::ask(&mut lane).await?.run_id != server.run_id {
                return Err(Fault::Away(format!("{address} was restarted while it was being connected to")));
            }
            lanes.push(lane);
        }
        Ok(Self {
            lanes,
            side,
            run_id: server.run_id,
            address: address.clone(),
            turn: AtomicUsize::new(0),
            under_way: Semaphore::new(MOST_UNDER_WAY),
            broken: AtomicBool::new(false),
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
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let Some(lane) = self.lanes.get(turn % self.lanes.len().max(1)) else { return Err(fault::no_lane()) };
        self.judged(send(lane.clone()).await)
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

    /// Asks whether the server still answers, as the same process and as a master; if not, gives the link up.
    pub(super) async fn probe(&self) {
        let asked: Result<Role, _> = self.call_aside(&cmd("ROLE")).await;
        match asked {
            Ok(Role { master: true, .. }) => {}
            Ok(_) => {
                tracing::warn!("a Redis server is no master any more");
                self.give_up();
            }
            // A server that says an error is there.
            Err(fault) if !matches!(fault, Fault::Lost(_) | Fault::Silent(_)) => {}
            Err(_) => self.give_up(),
        }
    }

    /// Waits until a replica has all that was written before, at most that long. `None`: there is no replica.
    pub(super) async fn wait_for_replica(&self, mark: &[u8], within: Duration) -> Result<Option<bool>, Fault> {
        let role: Role = self.call_aside(&cmd("ROLE")).await?;
        if role.replicas == 0 {
            return Ok(None);
        }
        // `WAIT` waits for what its own connection wrote, and what lies before that in the stream of replication.
        let _: () = self.call_aside(cmd("SET").arg(mark).arg("").arg("PX").arg(1000)).await?;
        let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let replicas: u64 = self.call_aside(cmd("WAIT").arg(1).arg(millis)).await?;
        Ok(Some(replicas > 0))
    }
}

/// One connection, made ready: authenticated, with its database and its name.
pub(super) async fn connect(address: &Address, dial: &Dial) -> Result<MultiplexedConnection, Fault> {
    let login = dial.login();
    let stream = stream::open(address, dial.tls.as_ref(), dial.connect_timeout)
        .await
        .map_err(|error| fault::of_connection(address, &error, dial.tls.is_some()))?;
    let greeting = async {
        let (mut connection, driver) = speak(&login, stream, dial).await?;
        tokio::spawn(driver);
        let _: () = cmd("CLIENT").arg("SETNAME").arg(&dial.client_name).query_async(&mut connection).await?;
        Ok::<_, RedisError>(connection)
    };
    match tokio::time::timeout(dial.connect_timeout, greeting).await {
        Ok(greeted) => greeted.map_err(|error| fault::of_first_word(address, &error, dial.tls.is_some())),
        Err(_) => Err(fault::unanswered(address)),
    }
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
    let mut connection = connect(address, dial).await?;
    let server = Server::ask(&mut connection).await?;
    server.check(address, mode)?;
    Ok((connection, server))
}

/// What a server says of itself.
pub(super) struct Server {
    pub(super) run_id: String,
    version: (u32, u32),
    shown: String,
    master: bool,
    mode: String,
}

impl Server {
    async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, Fault> {
        let info: String =
            cmd("INFO").arg("server").query_async(connection).await.map_err(|error| fault::of(&error))?;
        let role: Role = cmd("ROLE").query_async(connection).await.map_err(|error| fault::of(&error))?;
        let shown = field(&info, "redis_version").unwrap_or_default().to_owned();
        let mut parts = shown.split('.').map(|part| part.parse().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        let run_id = field(&info, "run_id").unwrap_or_default().to_owned();
        let mode = field(&info, "redis_mode").unwrap_or_default().to_owned();
        Ok(Self { run_id, version, shown, master: role.master, mode })
    }

    fn check(&self, address: &Address, mode: Mode) -> Result<(), Fault> {
        if let Some(why) = not_as_named(&self.mode, mode) {
            return Err(Fault::Refused(format!("{address} {why}")));
        }
        if self.run_id.is_empty() {
            return Err(Fault::Refused(
                "the server tells no run_id (INFO server); without it nobody can say whether it has rolled back"
                    .to_owned(),
            ));
        }
        if self.version < OLDEST {
            return Err(Fault::Refused(format!("{address} is Redis {}; 6.2 or newer is needed", self.shown)));
        }
        if !self.master {
            return Err(Fault::Away(format!("{address} is a replica; the master is needed (BEHALF_STORE)")));
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

/// A line `name:value` of `INFO`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// What `ROLE` says.
struct Role {
    master: bool,
    replicas: usize,
}

impl FromRedisValue for Role {
    fn from_redis_value(value: redis::Value) -> Result<Self, redis::ParsingError> {
        let parts: Vec<redis::Value> = FromRedisValue::from_redis_value(value)?;
        let name: Option<String> = parts.first().and_then(|name| FromRedisValue::from_redis_value_ref(name).ok());
        let master = name.as_deref() == Some("master");
        let replicas = match parts.get(2) {
            Some(redis::Value::Array(replicas)) if master => replicas.len(),
            _ => 0,
        };
        Ok(Self { master, replicas })
    }
}
