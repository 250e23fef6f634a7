//! TLS inwards with our own certificate, and outwards with a private authority.

use std::{fs, net::TcpListener, path::PathBuf};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, web};
use behalf::adapters::{http_client, oidc::install_crypto};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};

use super::World;
use crate::support::process::run;

pub(super) fn file(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/it/oidc/tls").join(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_serves_with_a_certificate() {
    let world = World::new();
    let (cert, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let service = world.serve(&[("BEHALF_TLS_CERT_FILE", &cert), ("BEHALF_TLS_KEY_FILE", &key)]).await;
    let url = format!("https://{}", service.address);
    let http = http_client::build(Some(ca.as_ref())).unwrap();
    assert_eq!(http.get(format!("{url}/readyz")).send().await.unwrap().status(), 200);
    assert!(world.page(&service.url("/readyz")).await.is_none_or(|(status, _)| status != 200), "no plain HTTP");

    // The health command trusts what the service trusts.
    let health = run(&mut world.command(&["health", "--url", &url], &[("BEHALF_CA_FILE", &ca)])).await;
    assert_eq!(health.code, Some(0), "{health:?}");
    let health = run(&mut world.command(&["health", "--url", &url], &[])).await;
    assert_eq!(health.code, Some(1), "{health:?}");
}

#[tokio::test]
async fn a_key_of_another_certificate_is_named_at_start() {
    let world = World::new();
    let (cert, key) = (file("server.pem"), world.path().join("key.pem"));
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    let files = [("BEHALF_TLS_CERT_FILE", cert.as_str()), ("BEHALF_TLS_KEY_FILE", key.to_str().unwrap())];
    let ended = run(&mut world.command(&["serve"], &files)).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("BEHALF_TLS_KEY_FILE"), "{}", ended.err);
}

/// The development server's documents under an https issuer.
fn https_issuer(keys: Value, mut description: Value) -> (String, ServerHandle) {
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let issuer = format!("https://{}", listener.local_addr().unwrap());
    description["issuer"] = json!(issuer);
    description["jwks_uri"] = json!(format!("{issuer}/keys"));
    let server = HttpServer::new(move || {
        let (keys, description) = (keys.clone(), description.clone());
        App::new()
            .route("/keys", web::get().to(move || std::future::ready(HttpResponse::Ok().json(keys.clone()))))
            .route(
                "/.well-known/openid-configuration",
                web::get().to(move || std::future::ready(HttpResponse::Ok().json(description.clone()))),
            )
    });
    let server = server.workers(1).disable_signals().listen_rustls_0_23(listener, config).unwrap().run();
    let handle = server.handle();
    tokio::spawn(server);
    (issuer, handle)
}

#[tokio::test]
async fn an_issuer_of_a_private_authority_is_trusted_by_its_file_alone() {
    install_crypto();
    let world = World::new();
    let document = async |path: &str| world.page(&format!("{}{path}", world.issuer.issuer())).await.unwrap().1;
    let (issuer, handle) =
        https_issuer(document("/v1/keys").await, document("/.well-known/openid-configuration").await);
    let up = async |change: &[(&'static str, &str)]| {
        let service = world.serve(change).await;
        let (_, health) = world.page(&service.url("/healthz")).await.unwrap();
        service.process.signal("TERM");
        assert_eq!(service.process.end().await.code, Some(0));
        let found = health["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "issuer:default").cloned();
        found.unwrap()["up"] == true
    };
    assert!(up(&[("BEHALF_ISSUER", &issuer), ("BEHALF_CA_FILE", &file("ca.pem"))]).await);
    assert!(!up(&[("BEHALF_ISSUER", &issuer)]).await);
    handle.stop(false).await;
}
