//! What stands before every endpoint: faults, budgets, the limit of concurrency.

use std::time::Duration;

use actix_web::{HttpResponse, body::BodyStream, http::header::HeaderValue};
use behalf::ports::clock::Clock;
use futures_util::stream;

use super::{World, answer::Say, state::State};

/// What is asked, as Okta counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    ReadUser,
    Users,
    UpdateUser,
    ReplaceUser,
    Groups,
    Members,
    LinkedObjects,
    Types,
    Schema,
    Token,
    Unknown,
}

/// What goes wrong with a call. All but `Latency` and `After` keep it from having an effect.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is answered, late.
    Latency(Duration),
    /// It is never answered.
    Hang,
    /// 200 with this body.
    Garbage(String),
    /// An error without a body that Okta would write.
    Status(u16),
    /// An error of Okta's.
    Error(u16, &'static str),
    /// The connection breaks in the middle of the answer.
    Drop,
    /// 429, as for too many in flight.
    TooConcurrent,
    /// It takes effect; then the connection breaks.
    After,
}

/// Calls in a minute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) limit: u64,
    used: u64,
    /// End of the present minute, in seconds since 1970.
    until: i64,
}

impl Budget {
    pub(crate) fn of(limit: u64) -> Self {
        Self { limit, used: 0, until: 0 }
    }

    /// All used up for the rest of the minute, which ends at that second.
    pub(crate) fn spent(limit: u64, until: i64) -> Self {
        Self { limit, used: limit, until }
    }
}

const PLENTY: u64 = 1_000_000;

/// The three headers, and whether the call is over the limit.
pub(super) struct Limits {
    limit: u64,
    remaining: u64,
    reset: i64,
    pub(super) exceeded: bool,
}

impl Limits {
    /// Counts a call.
    pub(super) fn count(state: &mut State, at: Endpoint, now: i64) -> Self {
        let budget = state.budgets.entry(at).or_insert_with(|| Budget::of(PLENTY));
        if now >= budget.until {
            (budget.used, budget.until) = (0, now + 60);
        }
        budget.used += 1;
        let remaining = budget.limit.saturating_sub(budget.used);
        Self { limit: budget.limit, remaining, reset: budget.until, exceeded: budget.used > budget.limit }
    }

    /// Too many under way: the headers tell of that instead.
    pub(super) fn of_concurrency(limit: usize, now: i64) -> Self {
        Self { limit: limit as u64, remaining: 0, reset: now + 60, exceeded: true }
    }

    pub(super) fn too_many() -> HttpResponse {
        Say::Error(429, "E0000047", "API call exceeded rate limit due to too many requests.".to_owned()).response()
    }

    /// Adds what every answer has.
    pub(super) fn stamp(&self, mut response: HttpResponse, clock: &dyn Clock) -> HttpResponse {
        let date = clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let texts = [
            ("x-rate-limit-limit", self.limit.to_string()),
            ("x-rate-limit-remaining", self.remaining.to_string()),
            ("x-rate-limit-reset", self.reset.to_string()),
            ("x-okta-request-id", "fake-request".to_owned()),
            ("date", date),
        ];
        for (name, text) in texts {
            if let Ok(value) = HeaderValue::from_str(&text) {
                response.headers_mut().insert(actix_web::http::header::HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// The fault that this call has coming, if any.
pub(super) fn fault(state: &mut State, at: Endpoint) -> Option<Fault> {
    let next = state.next.get_mut(&at).and_then(std::collections::VecDeque::pop_front);
    next.or_else(|| state.always.get(&at).cloned())
}

/// What a fault answers in place of the endpoint; `None`: the endpoint answers.
pub(super) async fn instead(fault: Option<&Fault>) -> Option<HttpResponse> {
    match fault? {
        Fault::Latency(time) => {
            tokio::time::sleep(*time).await;
            None
        }
        Fault::Hang => std::future::pending().await,
        Fault::Garbage(body) => Some(
            HttpResponse::Ok().content_type("application/json").insert_header(("etag", "W/\"x\"")).body(body.clone()),
        ),
        Fault::Status(status) => Some(HttpResponse::build(super::answer::code_of(*status)).body("<html>oops</html>")),
        Fault::Error(status, code) => Some(Say::Error(*status, code, "as the test wants it".to_owned()).response()),
        Fault::Drop => Some(broken()),
        Fault::TooConcurrent | Fault::After => None,
    }
}

/// An answer that breaks off.
pub(super) fn broken() -> HttpResponse {
    let pieces = [Ok(actix_web::web::Bytes::from_static(b"{\"id\":")), Err(std::io::Error::other("the test wants it"))];
    HttpResponse::Ok().content_type("application/json").body(BodyStream::new(stream::iter(pieces)))
}

/// Counts a call as under way until it is dropped.
pub(super) struct InFlight<'w>(&'w World);

impl<'w> InFlight<'w> {
    /// The call, and how many there are with it.
    pub(super) fn begin(world: &'w World) -> (Self, usize) {
        let now = world.in_flight.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        (Self(world), now)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
    }
}
