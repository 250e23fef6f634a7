//! The floor under the benchmarks: the least that an actix server can do with a hook.
//!
//! It reads the body, parses it into nothing, and answers the same bytes (`/same`) or none (`/none`). What behalf
//! adds to that is behalf's doing. `examples/load` starts it; by hand: `cargo run --release --example floor -- 8090`.

use std::io;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::de::IgnoredAny;

/// The same as behalf's, so that the comparison is not one of allocators.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As much as behalf reads.
const LIMIT: usize = 256 * 1024;

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

async fn same(body: web::Bytes) -> HttpResponse {
    if !is_json(&body) {
        return HttpResponse::BadRequest().finish();
    }
    HttpResponse::Ok().content_type("application/json").body(body)
}

async fn none(body: web::Bytes) -> HttpResponse {
    if !is_json(&body) {
        return HttpResponse::BadRequest().finish();
    }
    HttpResponse::NoContent().finish()
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8090);
    let app = || {
        App::new()
            .app_data(web::PayloadConfig::new(LIMIT))
            .route("/same", web::post().to(same))
            .route("/none", web::post().to(none))
    };
    actix_web::rt::System::new().block_on(HttpServer::new(app).workers(1).bind(("127.0.0.1", port))?.run())
}
