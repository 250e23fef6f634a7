//! The outbound client against a TLS server whose certificate only our own authority signed, and its bounds.

use std::{io::Write as _, net::TcpListener, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, web};
use behalf::adapters::{
    http_client::{self, ReadError, read_bounded},
    oidc::install_crypto,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::stub::{Reply, Stub};

const CA: &str = include_str!("tls/ca.pem");

fn serve() -> (String, actix_web::dev::ServerHandle) {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = HttpServer::new(|| App::new().default_service(web::to(async || HttpResponse::Ok().body("hello"))))
        .workers(1)
        .disable_signals()
        .listen_rustls_0_23(listener, config)
        .unwrap()
        .run();
    let handle = server.handle();
    tokio::spawn(server);
    (url, handle)
}

#[tokio::test]
async fn the_ca_file_is_trusted_and_nothing_less() {
    install_crypto();
    let (url, handle) = serve();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(CA.as_bytes()).unwrap();
    let trusting = http_client::build(Some(file.path())).unwrap();
    let response = trusting.get(&url).send().await.unwrap();
    assert_eq!(read_bounded(response, 5).await.unwrap(), b"hello");

    let error = http_client::build(None).unwrap().get(&url).send().await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    assert!(http_client::explain(&error).contains("UnknownIssuer"), "{}", http_client::explain(&error));
    handle.stop(false).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let stub = Stub::start(|_| Reply::Body(302, String::new()));
    let response = http_client::build(None).unwrap().get(&stub.url).send().await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(stub.count(), 1);
    let seen = stub.seen();
    let agent = seen[0].headers.iter().find(|(name, _)| name == "user-agent").unwrap();
    assert_eq!(agent.1, format!("behalf/{}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_body_is_read_up_to_its_bound() {
    let stub = Stub::start(|_| Reply::Body(200, "x".repeat(100_000)));
    let http = http_client::build(None).unwrap();
    let get = || async { http.get(&stub.url).send().await.unwrap() };
    assert_eq!(read_bounded(get().await, 100_000).await.unwrap().len(), 100_000);
    assert!(matches!(read_bounded(get().await, 99_999).await, Err(ReadError::TooLong(99_999))));
}

#[tokio::test]
async fn a_body_that_does_not_tell_its_length_is_bounded_too() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let endless = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        while stream.write_all(b"4\r\nabcd\r\n").await.is_ok() {}
    });
    let response = http_client::build(None).unwrap().get(&url).send().await.unwrap();
    assert!(matches!(read_bounded(response, 1000).await, Err(ReadError::TooLong(1000))));
    // The client hangs up, so the endless answer ends.
    assert!(tokio::time::timeout(Duration::from_secs(10), endless).await.is_ok());
}
