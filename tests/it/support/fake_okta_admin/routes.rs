//! Which endpoint a request is for, who sends it, and what stands before all of them.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{DATE, HeaderName, HeaderValue},
    },
    web,
};
use behalf::ports::clock::Clock as _;
use serde_json::Value;

use super::{
    TOKEN, World,
    answer::{Answered, Refusal, broken, not_found, response},
    hooks, meta, server,
    state::{Fault, State, Write},
    token,
};

pub(super) async fn handle(request: HttpRequest, body: web::Bytes, world: web::Data<World>) -> HttpResponse {
    let mut state = world.state.lock().unwrap();
    if request.path() == "/oauth2/v1/token" {
        let (status, said) = token::token(&mut state, &body);
        let mut response = HttpResponse::build(status.try_into().unwrap());
        return response.content_type("application/json").body(said.to_string());
    }
    let writes = *request.method() != Method::GET;
    let mut fault = state.next.pop_front();
    if writes {
        let attempt = state.attempts;
        state.attempts += 1;
        fault = fault.or_else(|| state.faults.remove(&attempt));
    }
    match fault {
        None | Some(Fault::After) => {}
        Some(Fault::Status(status)) => {
            return HttpResponse::build(status.try_into().unwrap()).body("<html>oops</html>");
        }
        Some(Fault::Garbage) => return HttpResponse::Ok().content_type("application/json").body("<html>hello</html>"),
        Some(Fault::Drop) => return broken(),
        Some(Fault::Throttled(seconds)) => return throttled(&world, seconds),
    }
    let answered = asked(&request, &body, &world, &mut state);
    if writes && answered.is_ok() {
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let (method, path) = (request.method().to_string(), request.path().to_owned());
        state.writes.push(Write { method, path, body });
    }
    if matches!(fault, Some(Fault::After)) { broken() } else { response(answered) }
}

fn asked(request: &HttpRequest, body: &[u8], world: &World, state: &mut State) -> Answered {
    let (method, query) = (request.method(), request.query_string());
    let path: Vec<&str> = request.path().split('/').skip(1).collect();
    let area = match path.as_slice() {
        ["api", "v1", "meta", "types", ..] => "okta.userTypes",
        ["api", "v1", "meta", "schemas", ..] => "okta.schemas",
        ["api", "v1", "inlineHooks", ..] => "okta.inlineHooks",
        ["api", "v1", "authorizationServers", ..] => "okta.authorizationServers",
        _ => return Err(not_found("no such endpoint")),
    };
    authorized(request, state, area)?;
    let body = read(request, body, state)?;
    match (method.as_str(), &path[2..]) {
        ("DELETE", _) => {
            state.violations.push(format!("DELETE {}", request.path()));
            Err(Refusal(403, "E0000006", "not in these tests".to_owned()))
        }
        ("GET" | "POST", ["meta", "types", "user"]) => meta::types(world, state, method, &body),
        ("GET" | "POST", ["meta", "schemas", "user", id]) => meta::schema(world, state, id, method, &body),
        ("GET", ["inlineHooks"]) => hooks::list(state, query),
        ("POST", ["inlineHooks"]) => hooks::create(world, state, &body),
        ("PUT", ["inlineHooks", id]) => hooks::replace(world, state, id, &body),
        (_, ["inlineHooks", id, "lifecycle", "activate"]) => hooks::activate(state, id, method),
        (_, ["authorizationServers", id, rest @ ..]) if state.server["id"] == *id => {
            server::handle(world, state, method, (rest, query), &body)
        }
        _ => Err(not_found("no such thing")),
    }
}

fn authorized(request: &HttpRequest, state: &State, area: &str) -> Result<(), Refusal> {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header == format!("SSWS {TOKEN}") {
        return Ok(());
    }
    let Some(scopes) = header.strip_prefix("Bearer ").and_then(|token| state.tokens.get(token)) else {
        return Err(Refusal(401, "E0000011", "Invalid token provided".to_owned()));
    };
    let needed = if *request.method() == Method::GET { "read" } else { "manage" };
    if scopes.contains(&format!("{area}.{needed}")) {
        return Ok(());
    }
    Err(Refusal(403, "E0000006", "You do not have permission to perform the requested action".to_owned()))
}

fn read(request: &HttpRequest, body: &[u8], state: &mut State) -> Result<Value, Refusal> {
    if *request.method() == Method::GET {
        return Ok(Value::Null);
    }
    if !request.headers().contains_key("content-length") {
        return Err(Refusal(411, "E0000000", "Length Required".to_owned()));
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    if request.headers().get("content-type").is_none_or(|kind| kind != "application/json") {
        state.violations.push(format!("{}: a body of another type", request.path()));
        return Err(Refusal(415, "E0000021", "Bad request. Accept and/or Content-Type headers".to_owned()));
    }
    let malformed = |_| Refusal(400, "E0000003", "The request body was not well-formed.".to_owned());
    serde_json::from_slice(body).map_err(malformed)
}

fn throttled(world: &World, seconds: i64) -> HttpResponse {
    let now = world.clock.now();
    let summary = "API call exceeded rate limit due to too many requests.".to_owned();
    let mut answer = response(Err(Refusal(429, "E0000047", summary)));
    let reset = HeaderValue::from(now.as_second() + seconds);
    answer.headers_mut().insert(HeaderName::from_static("x-rate-limit-reset"), reset);
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    answer.headers_mut().insert(DATE, HeaderValue::from_str(&date).unwrap());
    answer
}
