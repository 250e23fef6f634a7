//! Whether what takes a right away is on a second server, too.

use actix_web::{HttpResponse, HttpResponseBuilder};

use super::state::{AppState, Door};

/// Says it in an answer; absent where there is no second server.
pub const HEADER: &str = "behalf-replicated";

/// Waits a moment for the second server of a shared store. `None`: there is none.
pub async fn wait(state: &AppState, door: &Door) -> Option<bool> {
    state.services.replicated(&door.tenant.name).await
}

/// Adds the header.
pub fn say(answer: &mut HttpResponseBuilder, replicated: Option<bool>) {
    if let Some(replicated) = replicated {
        answer.insert_header((HEADER, if replicated { "true" } else { "false" }));
    }
}

/// The empty answer to a revocation that was committed.
pub async fn empty(mut answer: HttpResponseBuilder, state: &AppState, door: &Door) -> HttpResponse {
    say(&mut answer, wait(state, door).await);
    answer.finish()
}
