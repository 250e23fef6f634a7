//! Changes of an approval as they come (server-sent events, WHATWG HTML 9.2).

use std::{convert::Infallible, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, get,
    web::{self, Bytes},
};
use futures_util::{Stream, stream};
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior};
use utoipa::IntoParams;

use super::{ApprovalItem, ApprovalPath, viewer};
use crate::{
    app::approvals::watching::{self, Watch},
    domain::approval::{Approval, State},
    web::{
        error::ApiError,
        extract::{ByEither, ForApprovals, Then},
        problem::{CallerProblems, Problem},
        state::AppState,
    },
};

/// Between two comments that keep the connection alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The longest that a stream lasts; whoever wants to go on connects again, and is asked again who he is.
const LONGEST: Duration = Duration::from_mins(10);

/// Where to go on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read from the request; this describes it")]
pub struct LastEventId {
    /// The `id` of the last message that was seen; browsers send it by themselves.
    #[param(rename = "Last-Event-ID", nullable = false, minimum = 0, example = 1)]
    last: Option<u64>,
}

/// Streams an approval: as it is, and again whenever it changes.
///
/// Each message is the whole approval, its `id` the revision. With `Last-Event-ID` the first message is left out if
/// that is the present revision. The stream ends after a message with `DENIED`, `EXPIRED`, `WITHDRAWN`, `ENDED`,
/// `REVOKED` or `UNUSED_EXPIRED`, not with `APPROVED` or `ACTIVE`: who waits for the decision alone closes it himself.
/// It also ends when the token ends, when whoever reads it may not see the approval any more, after ten minutes, and
/// when this process stops. 204: it is closed, and `Last-Event-ID` says that you know it.
#[utoipa::path(
    operation_id = "approval-events", tag = "approvals", params(ApprovalPath, LastEventId),
    responses(
        (status = 200, description = "Messages `approval`, each with the approval as JSON.", body = String,
         content_type = "text/event-stream", example = "id: 2\nevent: approval\ndata: {\"state\": \"APPROVED\"}\n\n"),
        (status = 204, description = "It is closed, as you know."),
        CallerProblems, (status = 429, description = "`too-many-watchers`: too many wait for changes already. `rate-limited`: too many requests of this caller.", headers(("retry-after" = u64, description = "Seconds to wait.")), body = Problem, content_type = "application/problem+json"), (status = 403, description = "`right-missing`: the application is registered without the right `approvals`. `delegated-token`: the token is itself delegated.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("user_token" = []), ("application_token" = []))
)]
#[get("/v1/approvals/{id}/events")]
pub async fn events(
    Then(by, path): Then<ByEither<ForApprovals>, web::Path<ApprovalPath>>,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let id = path.id()?;
    let known = last_event_id(&request)?;
    let services = &state.services;
    let watch = watching::watch(services, &by.door().tenant, viewer(&by), id).await?;
    // Whoever knows of more than there is saw what a restore took back.
    let is_known = known == Some(watch.last().revision);
    if is_known && is_over(watch.last()) {
        return Ok(HttpResponse::NoContent().finish());
    }
    let feed = Feed {
        stage: if is_known { Stage::Waiting } else { Stage::First },
        until: Instant::now() + left(by.expires(), services.clock.now()).min(LONGEST),
        heartbeats: heartbeats(),
        watch,
        by,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("x-accel-buffering", "no"))
        .streaming(feed.stream()))
}

fn last_event_id(request: &HttpRequest) -> Result<Option<u64>, ApiError> {
    let Some(value) = request.headers().get("last-event-id") else { return Ok(None) };
    let revision = value.to_str().ok().and_then(|text| text.parse().ok());
    revision.map(Some).ok_or_else(|| ApiError::Invalid {
        field: Some("Last-Event-ID".to_owned()),
        problem: "is none that this stream gave".to_owned(),
    })
}

fn left(expires: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(expires.duration_since(now)).unwrap_or(Duration::ZERO)
}

fn is_over(approval: &Approval) -> bool {
    matches!(approval.state, State::Closed(_))
}

fn heartbeats() -> tokio::time::Interval {
    let mut beats = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats
}

enum Stage {
    First,
    Waiting,
}

struct Feed {
    watch: Watch,
    stage: Stage,
    until: Instant,
    heartbeats: tokio::time::Interval,
    by: ByEither<ForApprovals>,
}

impl Feed {
    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(Some(self), |feed| async {
            let mut feed = feed?;
            let bytes = feed.next().await?;
            let goes_on = !is_over(feed.watch.last()) && !feed.watch.is_closed();
            Some((Ok(bytes), goes_on.then_some(feed)))
        })
    }

    /// What is sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if matches!(self.stage, Stage::First) {
            self.stage = Stage::Waiting;
            return Some(message(self.watch.last()));
        }
        tokio::select! {
            changed = self.watch.next(self.until) => {
                changed?;
                // Who was an approver when it began may be none by now, and where that can't be told he isn't.
                viewer(&self.by).may_see(&self.by.door().tenant, self.watch.last()).await.ok()?;
                Some(message(self.watch.last()))
            }
            _ = self.heartbeats.tick() => Some(Bytes::from_static(b": still here\n\n")),
        }
    }
}

fn message(approval: &Approval) -> Bytes {
    let (id, item) = (approval.revision, ApprovalItem::from(approval.clone()));
    // JSON has no raw line breaks, so one line of data holds it.
    let data = serde_json::to_string(&item).unwrap_or_default();
    Bytes::from(format!("id: {id}\nevent: approval\ndata: {data}\n\n"))
}
