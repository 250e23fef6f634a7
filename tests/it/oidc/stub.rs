//! Servers that answer what a test tells them to.

use std::{
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::StatusCode,
    web::{self, Bytes, Data},
};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Map, Value, json};

/// One answer.
#[derive(Clone)]
pub(super) enum Reply {
    Body(u16, String),
    /// Takes the request and never answers.
    Never,
}

impl Reply {
    pub(super) fn json(body: &Value) -> Self {
        Self::Body(200, body.to_string())
    }
}

/// What was asked.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

struct Script {
    reply: Box<dyn Fn(&str) -> Reply + Send + Sync>,
    count: AtomicU64,
    seen: Mutex<Vec<Seen>>,
}

/// A server with one handler for every path.
pub(super) struct Stub {
    pub(super) url: String,
    script: Arc<Script>,
    handle: ServerHandle,
}

impl Stub {
    pub(super) fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Script { reply: Box::new(reply), count: AtomicU64::default(), seen: Mutex::default() });
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

    pub(super) fn count(&self) -> u64 {
        self.script.count.load(Ordering::SeqCst)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn answer(script: Data<Script>, request: HttpRequest, body: Bytes) -> HttpResponse {
    script.count.fetch_add(1, Ordering::SeqCst);
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let body = String::from_utf8(body.to_vec()).unwrap();
    script.seen.lock().unwrap().push(Seen { headers, body });
    match (script.reply)(request.path()) {
        Reply::Body(status, body) => HttpResponse::build(StatusCode::from_u16(status).unwrap())
            .insert_header(("Location", "/elsewhere"))
            .content_type("application/json")
            .body(body),
        Reply::Never => std::future::pending().await,
    }
}

/// An issuer whose two documents can be anything.
pub(super) struct Issuer {
    pub(super) stub: Stub,
    documents: Arc<Mutex<Documents>>,
}

#[derive(Default)]
struct Documents {
    description: Option<Reply>,
    keys: Option<Reply>,
}

impl Issuer {
    /// Publishes these keys.
    pub(super) fn start(keys: &[Value]) -> Self {
        let documents = Arc::new(Mutex::new(Documents::default()));
        let read = Arc::clone(&documents);
        let stub = Stub::start(move |path| {
            let documents = read.lock().unwrap();
            let found = if path == "/keys" { &documents.keys } else { &documents.description };
            found.clone().unwrap_or(Reply::Body(404, String::new()))
        });
        let issuer = Self { stub, documents };
        issuer.describe(&issuer.description());
        issuer.publish(keys);
        issuer
    }

    pub(super) fn url(&self) -> &str {
        &self.stub.url
    }

    pub(super) fn description(&self) -> Value {
        let url = self.url();
        json!({
            "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "jwks_uri": format!("{url}/keys"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    pub(super) fn describe(&self, description: &Value) {
        self.documents.lock().unwrap().description = Some(Reply::json(description));
    }

    pub(super) fn publish(&self, keys: &[Value]) {
        self.answer_keys(Reply::json(&json!({ "keys": keys })));
    }

    pub(super) fn answer_keys(&self, reply: Reply) {
        self.documents.lock().unwrap().keys = Some(reply);
    }
}

/// A key pair of a stub issuer.
pub(super) struct Signer {
    pub(super) public: Value,
    key: EncodingKey,
    pub(super) header: Header,
}

impl Signer {
    pub(super) fn es256(id: &str) -> Self {
        let der = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap();
        Self::new(EncodingKey::from_ec_der(der.as_ref()), Algorithm::ES256, id)
    }

    pub(super) fn ed25519(id: &str) -> Self {
        let der = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        Self::new(EncodingKey::from_ed_der(der.as_ref()), Algorithm::EdDSA, id)
    }

    fn new(key: EncodingKey, algorithm: Algorithm, id: &str) -> Self {
        let mut public = Jwk::from_encoding_key(&key, algorithm).unwrap();
        public.common.key_id = Some(id.to_owned());
        let header = Header { kid: Some(id.to_owned()), ..Header::new(algorithm) };
        Self { public: serde_json::to_value(public).unwrap(), key, header }
    }

    pub(super) fn sign(&self, claims: &Map<String, Value>) -> String {
        self.sign_as(&self.header, claims)
    }

    pub(super) fn sign_as(&self, header: &Header, claims: &Map<String, Value>) -> String {
        jsonwebtoken::encode(header, claims, &self.key).unwrap()
    }
}
