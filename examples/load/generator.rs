//! Drives a server with HTTP/1.1 over connections that stay open, and checks every answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::Instant,
};

use crate::{data::Fault, proc};

/// What is sent, and what has to come back.
pub(crate) struct Work {
    /// Whole requests, head and body.
    pub(crate) requests: Vec<Vec<u8>>,
    /// The status line begins so.
    pub(crate) status: &'static str,
    /// The body begins so.
    pub(crate) body: &'static [u8],
    /// Again and again for so long; `None`: each once.
    pub(crate) lasts: Option<Duration>,
    /// So many a second, each with its moment; `None`: as fast as answers come. Latency counts from that moment, so a
    /// server that falls behind is seen to.
    pub(crate) pace: Option<f64>,
    next: AtomicUsize,
}

impl Work {
    pub(crate) fn new(
        requests: Vec<Vec<u8>>,
        status: &'static str,
        body: &'static [u8],
        lasts: Option<Duration>,
    ) -> Self {
        Self { requests, status, body, lasts, pace: None, next: AtomicUsize::new(0) }
    }

    /// The next request, and when its turn is, counted from the beginning.
    fn take(&self) -> Option<(&[u8], Option<Duration>)> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = self.pace.and_then(|rate| Some(Duration::from_secs_f64(f64::from(u32::try_from(at).ok()?) / rate)));
        let at = if self.lasts.is_some() { at % self.requests.len() } else { at };
        Some((self.requests.get(at)?.as_slice(), turn))
    }
}

/// A request, whole.
pub(crate) fn request(path: &str, secret: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: behalf.test\r\nauthorization: {secret}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// What came of one round.
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// Microseconds of each answer, ascending.
    pub(crate) latencies: Vec<u32>,
    /// The server's processor time per answer, in microseconds.
    pub(crate) cpu_micros: f64,
    /// Shares of one core that the server and this program used.
    pub(crate) server_busy: f64,
    pub(crate) own_busy: f64,
}

impl Round {
    /// Batches that were driven one after the other, as one.
    pub(crate) fn of(batches: Vec<Self>) -> Self {
        let count = |batch: &Self| u32::try_from(batch.latencies.len()).map_or(f64::NAN, f64::from);
        let took: f64 = batches.iter().map(|batch| count(batch) / batch.per_second).sum();
        let all: f64 = batches.iter().map(count).sum();
        let over_time = |share: fn(&Self) -> f64| {
            batches.iter().map(|batch| share(batch) * count(batch) / batch.per_second).sum::<f64>() / took
        };
        let (server_busy, own_busy) = (over_time(|batch| batch.server_busy), over_time(|batch| batch.own_busy));
        let mut latencies: Vec<u32> = batches.into_iter().flat_map(|batch| batch.latencies).collect();
        latencies.sort_unstable();
        Self { per_second: all / took, latencies, cpu_micros: server_busy * took / all * 1e6, server_busy, own_busy }
    }

    /// Two servers driven at the same time, as one.
    pub(crate) fn beside(mut self, other: Self) -> Self {
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        Self {
            per_second: self.per_second + other.per_second,
            cpu_micros: f64::midpoint(self.cpu_micros, other.cpu_micros),
            server_busy: self.server_busy + other.server_busy,
            own_busy: self.own_busy.max(other.own_busy),
            latencies: self.latencies,
        }
    }
}

/// Runs the work over so many connections. An answer that isn't the one expected is a fault.
pub(crate) async fn drive(to: SocketAddr, pid: &str, connections: usize, work: Work) -> Result<Round, Fault> {
    let work = Arc::new(work);
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let (cpu, own, started) = (proc::cpu_seconds(pid)?, proc::cpu_seconds("self")?, Instant::now());
    let end = work.lasts.map(|lasts| started + lasts);
    let mut tasks = JoinSet::new();
    for stream in streams {
        tasks.spawn(converse(stream, Arc::clone(&work), started, end));
    }
    // Whoever sleeps is woken by the server's next answer, which costs the server more than the answer itself where
    // interrupts are dear, as in virtual machines. Beside hooks that cost little, this program stays awake.
    let awake = end.map(|_| tokio::spawn(stay_awake()));
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.append(&mut done??);
    }
    if let Some(awake) = awake {
        awake.abort();
    }
    let took = started.elapsed().as_secs_f64();
    let (cpu, own) = (proc::cpu_seconds(pid)? - cpu, proc::cpu_seconds("self")? - own);
    latencies.sort_unstable();
    let count = u32::try_from(latencies.len()).map(f64::from)?;
    Ok(Round {
        per_second: count / took,
        latencies,
        cpu_micros: cpu / count * 1e6,
        server_busy: cpu / took,
        own_busy: own / took,
    })
}

async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

async fn converse(
    mut stream: TcpStream,
    work: Arc<Work>,
    started: Instant,
    end: Option<Instant>,
) -> Result<Vec<u32>, Fault> {
    let (mut latencies, mut buffer) = (Vec::new(), Vec::with_capacity(8192));
    let mut now = Instant::now();
    while end.is_none_or(|end| now < end) {
        let Some((request, turn)) = work.take() else { break };
        if let Some(turn) = turn.map(|turn| started + turn) {
            tokio::time::sleep_until(turn).await;
            now = turn;
        }
        stream.write_all(request).await?;
        answer(&mut stream, &mut buffer, &work).await?;
        let after = Instant::now();
        latencies.push(u32::try_from((after - now).as_micros()).unwrap_or(u32::MAX));
        now = after;
    }
    Ok(latencies)
}

async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>, work: &Work) -> Result<(), Fault> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the server hung up".into());
        }
        let Some(head) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?;
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(Ok(0), str::parse)?;
        let body = &buffer[head + 4..];
        if body.len() < length {
            continue;
        }
        if text.starts_with(work.status) && body.starts_with(work.body) {
            return Ok(());
        }
        return Err(format!("another answer than expected: {}", String::from_utf8_lossy(buffer)).into());
    }
}
