//! The document for people, at `/docs/`: there in development, and where it is asked for.

use reqwest::StatusCode;

use crate::durability::rig::World;

async fn status(change: &[(&str, &str)]) -> (StatusCode, StatusCode) {
    let world = World::new(0);
    let mut command = world.command("memory");
    let process = world.launch(command.envs(change.iter().copied())).ready().await;
    let get = async |path: &str| world.http.get(format!("{}{path}", process.url)).send().await.unwrap().status();
    (get("/docs/").await, get("/docs/swagger-ui.css").await)
}

#[tokio::test]
async fn pages_are_for_development() {
    let (there, gone) = ((StatusCode::OK, StatusCode::OK), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(status(&[]).await, gone, "production is the default");
    assert_eq!(status(&[("BEHALF_DOCS", "on")]).await, there);
    assert_eq!(status(&[("BEHALF_ENV", "development")]).await, there);
    assert_eq!(status(&[("BEHALF_ENV", "development"), ("BEHALF_DOCS", "off")]).await, gone);
}
