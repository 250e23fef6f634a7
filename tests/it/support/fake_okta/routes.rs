//! One handler for every path: reads the request strictly, passes the guard, and asks the endpoint.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::Method,
    web::{Bytes, Data},
};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{
    World,
    answer::Say,
    guard::{self, Endpoint, Fault, InFlight, Limits},
    meta,
    state::State,
    token, users,
};

/// A request, taken apart.
pub(super) struct Asked {
    pub(super) method: Method,
    /// As it came, still encoded.
    pub(super) path: String,
    /// Decoded.
    pub(super) segments: Vec<String>,
    /// Decoded.
    pub(super) query: BTreeMap<String, String>,
    pub(super) if_match: Option<String>,
    pub(super) body: Option<Value>,
}

pub(super) async fn handle(world: Data<World>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let world: Arc<World> = world.into_inner();
    let (_under_way, in_flight) = InFlight::begin(&world);
    let now = world.clock.now().as_second();
    let segments = segments(request.uri().path());
    let at = segments.as_ref().map_or(Endpoint::Unknown, |segments| endpoint(request.method(), segments));
    let (fault, limits, latency) = {
        let mut state = world.state();
        *state.calls.entry(at).or_default() += 1;
        state.most_in_flight = state.most_in_flight.max(in_flight);
        let fault = guard::fault(&mut state, at);
        let crowded = in_flight > state.concurrency || matches!(fault, Some(Fault::TooConcurrent));
        let limits = if crowded {
            Limits::of_concurrency(state.concurrency.min(75), now)
        } else {
            Limits::count(&mut state, at, now)
        };
        (fault, limits, state.latency)
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let response = if limits.exceeded {
        Limits::too_many()
    } else if let Some(instead) = guard::instead(fault.as_ref()).await {
        instead
    } else {
        let said = answer(&world, &request, segments, &body, at);
        if matches!(fault, Some(Fault::After)) { guard::broken() } else { said.response() }
    };
    if world.state().bare_429 && response.status() == 429 { response } else { limits.stamp(response, &*world.clock) }
}

/// The path's segments, decoded; `None`: no path that Okta would take.
fn segments(path: &str) -> Option<Vec<String>> {
    let decode = |part: &str| {
        let whole = part.split('%').skip(1).all(|after| {
            after.len() >= 2
                && after.is_char_boundary(2)
                && after.get(..2).is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit()))
        });
        let text = percent_decode_str(part).decode_utf8().ok()?.into_owned();
        (whole && !text.is_empty() && text != "." && text != "..").then_some(text)
    };
    path.strip_prefix('/')?.split('/').map(decode).collect()
}

/// A `+` is a space, as in forms.
pub(super) fn pairs(text: &str) -> Option<BTreeMap<String, String>> {
    let decode =
        |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((decode(name)?, decode(value)?))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn endpoint(method: &Method, segments: &[String]) -> Endpoint {
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["api", "v1", "users"]) => Endpoint::Users,
        ("GET", ["api", "v1", "users", _]) => Endpoint::ReadUser,
        ("POST", ["api", "v1", "users", _]) => Endpoint::UpdateUser,
        ("PUT", ["api", "v1", "users", _]) => Endpoint::ReplaceUser,
        ("GET", ["api", "v1", "users", _, "groups"]) => Endpoint::Groups,
        ("GET", ["api", "v1", "groups", _, "users"]) => Endpoint::Members,
        ("GET", ["api", "v1", "users", _, "linkedObjects", _]) => Endpoint::LinkedObjects,
        ("GET", ["api", "v1", "meta", "types", "user"] | ["api", "v1", "meta", "types", "user", _]) => Endpoint::Types,
        ("GET", ["api", "v1", "meta", "schemas", "user", _]) => Endpoint::Schema,
        ("POST", ["oauth2", "v1", "token"]) => Endpoint::Token,
        _ => Endpoint::Unknown,
    }
}

fn answer(world: &World, request: &HttpRequest, segments: Option<Vec<String>>, body: &Bytes, at: Endpoint) -> Say {
    let mut state = world.state();
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let method = request.method().clone();
    let bodied = method == Method::POST || method == Method::PUT;
    if bodied && header("content-length").is_none() && header("transfer-encoding").is_none() {
        return Say::Error(411, "E0000011", "Length Required".to_owned());
    }
    let query = pairs(request.uri().query().unwrap_or_default());
    let path = request.uri().path().to_owned();
    let (Some(segments), Some(query)) = (segments, query) else {
        state.violations.push(format!("{method} {}", request.uri()));
        return Say::invalid("the address");
    };
    if segments.iter().any(|segment| segment.eq_ignore_ascii_case("me")) {
        // Okta takes it for the owner of the token.
        state.violations.push(format!("{method} {path}"));
        return Say::invalid("me");
    }
    if at == Endpoint::Token {
        return token::issue(world, &mut state, header("content-type"), body);
    }
    let writes = bodied || method == Method::DELETE;
    if let Err(refusal) = token::admit(world, &state, header("authorization"), at, writes) {
        return refusal;
    }
    if !header("accept").is_none_or(|accept| accept.contains("json") || accept.contains("*/*")) {
        return Say::Error(406, "E0000021", "Accept".to_owned());
    }
    let body = match (body.is_empty(), header("content-type")) {
        (true, _) => None,
        (false, Some(kind)) if kind.starts_with("application/json") => match serde_json::from_slice(body) {
            Ok(body) => Some(body),
            Err(_) => return Say::Error(400, "E0000003", "The request body was not well-formed.".to_owned()),
        },
        (false, _) => return Say::Error(415, "E0000021", "Content-Type".to_owned()),
    };
    let if_match = header("if-match").map(str::to_owned);
    route(world, &mut state, at, &Asked { method, path, segments, query, if_match, body })
}

fn route(world: &World, state: &mut State, at: Endpoint, asked: &Asked) -> Say {
    let name = |n: usize| asked.segments.get(n).map_or("", String::as_str);
    match at {
        Endpoint::Users => users::list(world, state, asked),
        Endpoint::ReadUser => users::read(world, state, name(3)),
        Endpoint::UpdateUser => users::update(world, state, name(3), asked),
        Endpoint::ReplaceUser => users::replace(world, state, name(3), asked),
        Endpoint::Groups => users::groups(world, state, name(3), asked),
        Endpoint::Members => users::members(world, state, name(3), asked),
        Endpoint::LinkedObjects => users::linked(state, name(3), name(5)),
        Endpoint::Types if asked.segments.len() == 5 => meta::types(world, state),
        Endpoint::Types => meta::kind(world, state, name(5)),
        Endpoint::Schema => meta::schema(world, state, name(5)),
        Endpoint::Token | Endpoint::Unknown => {
            let what = format!("{} {}", asked.method, asked.path);
            Say::Error(405, "E0000022", format!("The endpoint does not support the provided HTTP method: {what}"))
        }
    }
}
