//! PyPI's scim2-server: as it is, and without PATCH, so that whole users are written under `If-Match`.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use behalf::{
    adapters::system::SystemClock,
    domain::ids::{GroupId, UserId},
    ports::directory::Directory,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::OnceCell,
    task::JoinHandle,
};

use super::{Rig, composed};
use crate::support::{
    proxy::Proxy,
    scim::{Admin, Scim2Server, URN, connector},
};

/// One server for all cases, which have users and lines of their own. It ends with the test process.
type Shared = OnceCell<Option<Scim2Server>>;

struct Line {
    proxy: Proxy,
    /// The server's address.
    server: String,
    admin: Admin,
    throttling: Mutex<Option<JoinHandle<()>>>,
}

pub(super) async fn patching() -> Option<Arc<dyn Rig>> {
    static SERVER: Shared = OnceCell::const_new();
    rig(&SERVER, json!({})).await
}

pub(super) async fn without_patch() -> Option<Arc<dyn Rig>> {
    static SERVER: Shared = OnceCell::const_new();
    rig(&SERVER, json!({"patch": false})).await
}

async fn rig(server: &'static Shared, supported: Value) -> Option<Arc<dyn Rig>> {
    let server = server.get_or_init(|| async move { Scim2Server::start_with(&supported).await }).await.as_ref()?;
    let (proxy, server, admin) = (Proxy::to(&server.address), server.address.clone(), server.admin());
    Some(Arc::new(Line { proxy, server, admin, throttling: Mutex::default() }))
}

#[async_trait]
impl Rig for Line {
    async fn directory(&self) -> Arc<dyn Directory> {
        let url = format!("http://{}/v2", self.proxy.address());
        composed(Arc::new(connector(&url, Arc::new(SystemClock))))
    }

    async fn put(&self, login: &str) -> UserId {
        UserId::parse(&self.admin.create(login).await).unwrap()
    }

    async fn suspend(&self, user: &UserId) {
        self.admin.change(user.as_str(), |user| user["active"] = json!(false)).await;
    }

    async fn delete(&self, user: &UserId) {
        self.admin.delete(user.as_str()).await;
    }

    async fn group(&self, members: &[UserId]) -> Option<GroupId> {
        let members: Vec<&str> = members.iter().map(UserId::as_str).collect();
        Some(GroupId::parse(&self.admin.create_group("group", &members).await).unwrap())
    }

    fn nobodys_group(&self) -> GroupId {
        GroupId::parse("7f1f071da39b4912bfe41b54a5ccf59f").unwrap()
    }

    fn crowd(&self) -> usize {
        40
    }

    async fn list(&self, delegator: &UserId, agents: &[UserId]) {
        let agents: Vec<Value> = agents.iter().map(|agent| json!({"value": agent.as_str()})).collect();
        let listed = |user: &mut Value| {
            user["schemas"].as_array_mut().unwrap().push(json!(URN));
            user[URN] = json!({ "delegations": agents });
        };
        self.admin.change(delegator.as_str(), listed).await;
    }

    fn bears(&self) -> usize {
        16
    }

    fn line(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    /// It speaks HTTP/1.0.
    fn keeps_connections(&self) -> bool {
        false
    }

    /// It never does itself; something before it does.
    async fn throttle(&self, on: bool) -> bool {
        if on {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            self.proxy.retarget(&listener.local_addr().unwrap().to_string());
            let throttling = tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(slow_down(client));
                }
            });
            *self.throttling.lock().unwrap() = Some(throttling);
        } else {
            self.proxy.retarget(&self.server);
            if let Some(throttling) = self.throttling.lock().unwrap().take() {
                throttling.abort();
            }
        }
        self.proxy.cut();
        true
    }
}

async fn slow_down(mut client: TcpStream) {
    let mut asked = Vec::new();
    while !asked.windows(4).any(|four| four == b"\r\n\r\n") {
        match client.read_buf(&mut asked).await {
            Ok(read) if read > 0 => {}
            // It was cut.
            _ => return,
        }
    }
    let answer = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let _ = client.write_all(answer).await;
}
