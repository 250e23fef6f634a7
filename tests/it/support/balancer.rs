//! A balancer of connections, as a Service of Kubernetes is one: a new connection goes to one of the replicas that are
//! ready; those that are there stay where they are.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use reqwest::Client;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// How often each replica is asked whether it is ready.
const ASKED_EVERY: Duration = Duration::from_millis(20);

/// Ends with this value.
pub(crate) struct Balancer {
    /// Where it listens.
    pub(crate) url: String,
    replicas: Arc<Replicas>,
    _tasks: JoinSet<()>,
}

/// Addresses as `host:port`, and whether they are ready.
#[derive(Default)]
struct Replicas {
    known: Mutex<BTreeMap<String, bool>>,
    next: AtomicUsize,
}

impl Replicas {
    fn next_ready(&self) -> Option<String> {
        let known = self.known.lock().unwrap();
        let ready: Vec<_> = known.iter().filter(|(_, ready)| **ready).map(|(address, _)| address).collect();
        let at = self.next.fetch_add(1, SeqCst).checked_rem(ready.len())?;
        Some(ready[at].clone())
    }

    /// Asks for ever.
    async fn ask(&self, http: &Client) {
        let mut ticks = tokio::time::interval(ASKED_EVERY);
        loop {
            ticks.tick().await;
            let addresses: Vec<_> = self.known.lock().unwrap().keys().cloned().collect();
            for address in addresses {
                let answer = http.get(format!("http://{address}/readyz")).send().await;
                let ready = answer.is_ok_and(|answer| answer.status() == 200);
                if let Some(known) = self.known.lock().unwrap().get_mut(&address) {
                    *known = ready;
                }
            }
        }
    }
}

impl Balancer {
    /// Before no replica yet.
    pub(crate) async fn start(http: &Client) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (replicas, mut tasks) = (Arc::new(Replicas::default()), JoinSet::new());
        let (asked, http) = (Arc::clone(&replicas), http.clone());
        tasks.spawn(async move { asked.ask(&http).await });
        let balanced = Arc::clone(&replicas);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                // Without a replica that is ready the connection is closed.
                if let Some(address) = balanced.next_ready() {
                    connections.spawn(pass(client, address));
                }
            }
        });
        Self { url, replicas, _tasks: tasks }
    }

    /// One more replica, at this URL; it gets connections once it is ready.
    pub(crate) fn add(&self, url: &str) {
        self.replicas.known.lock().unwrap().insert(address(url), false);
    }

    /// Forgets one that has ended.
    pub(crate) fn remove(&self, url: &str) {
        self.replicas.known.lock().unwrap().remove(&address(url));
    }

    /// Whether new connections go there.
    pub(crate) fn uses(&self, url: &str) -> bool {
        self.replicas.known.lock().unwrap().get(&address(url)).copied().unwrap_or(false)
    }
}

fn address(url: &str) -> String {
    url.trim_start_matches("http://").to_owned()
}

async fn pass(mut client: TcpStream, address: String) {
    if let Ok(mut replica) = TcpStream::connect(address).await {
        // Either side may break off; the other one sees its end.
        drop(copy_bidirectional(&mut client, &mut replica).await);
    }
}
