//! The story, played over real HTTP, and the development authorization server it is played with.
//!
//! First one behalf in this process, with its store in memory; then two behalfs as processes of their own, which share
//! a Redis. Everything listens on loopback, and nothing else in the house imports this room.

mod approval;
pub mod authorization_server;
mod backstage;
mod client;
mod evidence;
mod pair;
mod people;
mod redis;
mod reservation;
mod say;
mod sealed;
mod set;
mod site;
mod story;

use std::{io, pin::pin, process::ExitCode};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use self::{backstage::Backstage, pair::Pair, say::say, set::Set};
use crate::{adapters::system::OsEntropy, lifecycle, ports::entropy};

/// Plays the story and fails if any step didn't do what it says, or if it is stopped before its end. With `serve`, the
/// first behalf runs on until Ctrl-C.
pub async fn run(serve: bool) -> ExitCode {
    let mut stop = pin!(lifecycle::stop_signal());
    // The signals first: from then on they don't end the process, and what is dropped here cleans up.
    let played = tokio::select! {
        biased;
        stopped = &mut stop => Err(interrupted(stopped)),
        played = play(serve) => played,
    };
    let (set, _backstage) = match played {
        Ok(stands) => stands,
        Err(why) => {
            say(&format!("\nThe demo failed: {why}"));
            return ExitCode::FAILURE;
        }
    };
    if serve && let Err(error) = stop.await {
        say(&format!("signals can't be waited for: {error}"));
    }
    set.strike().await;
    ExitCode::SUCCESS
}

fn interrupted(stopped: io::Result<&'static str>) -> String {
    match stopped {
        Ok(signal) => format!("{signal} came before its end"),
        Err(error) => format!("signals can't be waited for: {error}"),
    }
}

/// Plays it, and hands over what is still running.
async fn play(serve: bool) -> Result<(Set, Backstage), String> {
    let random = URL_SAFE_NO_PAD.encode(entropy::bytes::<24>(&OsEntropy));
    let backstage = Backstage::build(&random)?;
    let set = Set::build(&backstage, &random).await?;
    say(&format!(
        "behalf {} on {}, store in memory, directory in a YAML file.\n\
         A development authorization server on {}: it signs anybody in and is FOR DEMO AND TESTS ONLY.\n\
         Towards the hook it behaves like Okta: 3 s, one attempt, a patch applies whole or not at all.",
        env!("CARGO_PKG_VERSION"),
        set.api,
        set.issuer.url(),
    ));
    story::tell(&set).await?;
    let pair = Pair::build(&backstage, &random).await?;
    approval::tell(&pair, &backstage).await?;
    reservation::tell(&pair).await?;
    drop(pair);
    say("\nEvery step did what it said.");
    if serve {
        set.print_commands().await?;
    }
    Ok((set, backstage))
}
