//! The story, played over real HTTP, and the development authorization server it is played with.
//!
//! Everything listens on loopback, everything is in memory, and nothing else in the house imports this room.

pub mod authorization_server;
mod client;
mod say;
mod sealed;
mod set;
mod story;

use std::process::ExitCode;

use self::{say::say, set::Set};
use crate::lifecycle;

/// Plays the story and fails if any step didn't do what it says. With `serve`, everything runs on until Ctrl-C.
pub async fn run(serve: bool) -> ExitCode {
    match play(serve).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("\nThe demo failed: {why}"));
            ExitCode::FAILURE
        }
    }
}

async fn play(serve: bool) -> Result<(), String> {
    let set = Set::build().await?;
    say(&format!(
        "behalf {} on {}, store in memory, directory in a YAML file.\n\
         A development authorization server on {}: it signs anybody in and is FOR DEMO AND TESTS ONLY.\n\
         Towards the hook it behaves like Okta: 3 s, one attempt, a patch applies whole or not at all.",
        env!("CARGO_PKG_VERSION"),
        set.api,
        set.issuer.url(),
    ));
    let told = story::tell(&set).await;
    if told.is_ok() {
        say("\nEvery step did what it said.");
    }
    if told.is_ok() && serve {
        set.print_commands().await?;
        if let Err(error) = lifecycle::stop_signal().await {
            say(&format!("signals can't be waited for: {error}"));
        }
    }
    set.strike().await;
    told
}
