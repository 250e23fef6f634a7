//! A receiver of webhooks that answers what a test tells it to.

use std::{
    collections::{BTreeMap, VecDeque},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::StatusCode,
    web::{self, Bytes, Data},
};

/// What came.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// Status and one header.
type Reply = (u16, &'static str, &'static str);

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    always: Mutex<u16>,
    seen: Mutex<Vec<Seen>>,
}

/// It takes everything, unless told otherwise. It stops when it is dropped.
pub(super) struct Receiver {
    pub(super) url: String,
    script: Arc<Script>,
    handle: ServerHandle,
}

impl Receiver {
    pub(super) fn start() -> Self {
        Self::at(TcpListener::bind(("127.0.0.1", 0)).unwrap())
    }

    pub(super) fn at(listener: TcpListener) -> Self {
        let url = format!("http://{}/hook?room=7", listener.local_addr().unwrap());
        let script = Arc::new(Script { always: Mutex::new(204), ..Script::default() });
        let data = Data::from(Arc::clone(&script));
        let server = HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(answer)))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, script, handle }
    }

    /// What the next request that has no reply yet gets.
    pub(super) fn next(&self, status: u16, name: &'static str, value: &'static str) {
        self.script.replies.lock().unwrap().push_back((status, name, value));
    }

    /// What all other requests get.
    pub(super) fn always(&self, status: u16) {
        *self.script.always.lock().unwrap() = status;
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn answer(script: Data<Script>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    script.seen.lock().unwrap().push(Seen { headers, body: String::from_utf8(body.to_vec()).unwrap() });
    let always = (*script.always.lock().unwrap(), "x-nothing", "");
    let (status, name, value) = script.replies.lock().unwrap().pop_front().unwrap_or(always);
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).insert_header((name, value)).body("not read")
}
