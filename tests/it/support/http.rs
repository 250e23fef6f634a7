//! Requests to the application under test, each answer held against the API document.

use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{document, test_app::TestApp};

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// `null` where the body isn't JSON.
    pub(crate) json: Value,
}

impl Answer {
    fn new(status: StatusCode, headers: HeaderMap, body: &[u8]) -> Self {
        let json = serde_json::from_slice(body).unwrap_or(Value::Null);
        Self { status, headers, text: String::from_utf8_lossy(body).into_owned(), json }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts that it is this problem, in the form of RFC 9457.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.json["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.json["status"], status);
        assert_eq!(self.json["type"], format!("urn:behalf:problem:{code}"));
        assert!(self.json["title"].is_string() && self.json["detail"].is_string(), "{}", self.text);
        assert!(self.header("x-request-id").is_some());
    }

    /// Asserts that it is an error in the form of the compatibility routes.
    #[track_caller]
    pub(crate) fn is_compat_error(&self, status: u16, text: &str) {
        assert_eq!((self.status.as_u16(), &self.json), (status, &serde_json::json!({"error": text})), "{}", self.text);
    }
}

impl TestApp {
    /// A request to `path`, to be completed and given to [`TestApp::send`].
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Sends it; the answer is one that the document declares.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let answer = self.http.execute(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.unwrap();
        checked(&method, &path, Answer::new(status, headers, &body))
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(token)).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).bearer_auth(token)).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).bearer_auth(token).json(body)).await
    }

    /// A body as it is, with this content type.
    pub(crate) async fn post_bytes(&self, path: &str, token: &str, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
        let request = self.request(Method::POST, path).bearer_auth(token).header("content-type", kind);
        self.send(request.body(body.into())).await
    }

    /// A request whose target is sent as it is, where a client would tidy it up; without a body.
    pub(crate) async fn raw(&self, method: Method, target: &str, token: &str) -> Answer {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        });
        let headers: HeaderMap = headers.collect();
        assert!(!headers.contains_key("transfer-encoding"), "this reads bodies of a known length only");
        let path = target.split('?').next().unwrap();
        checked(&method, path, Answer::new(status, headers, &bytes[at + 4..]))
    }
}

fn checked(method: &Method, path: &str, answer: Answer) -> Answer {
    let body = answer.text.as_bytes();
    document::check(method.as_str(), path, answer.status.as_u16(), answer.header("content-type"), body);
    answer
}
