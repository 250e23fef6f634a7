//! Calls of the management API, one at a time.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::change::Call;
use crate::{
    adapters::directory::{
        okta::auth::SignIn,
        rest::{Answer, Rest},
    },
    domain::ids::is_deceptive,
    ports::{clock::Clock, directory::DirectoryError},
};

/// What the calls need of a service app. An API token has what its owner has.
pub const SCOPES: &[&str] = &[
    "okta.userTypes.read",
    "okta.userTypes.manage",
    "okta.schemas.read",
    "okta.schemas.manage",
    "okta.inlineHooks.read",
    "okta.inlineHooks.manage",
    "okta.authorizationServers.read",
    "okta.authorizationServers.manage",
];
/// The longest that is waited for leave to go on.
const LONGEST_WAIT: Duration = Duration::from_secs(90);
/// How often one call waits for it.
const MOST_WAITS: usize = 3;
/// Waited where Okta doesn't say until when.
const UNTOLD_WAIT: Duration = Duration::from_secs(30);
/// The most pages of a list.
const MOST_PAGES: usize = 25;
/// The most characters of what Okta says that are passed on.
const MOST_CHARS: usize = 400;

/// Why a call came to nothing. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Wrong credentials.
    #[error(
        "Okta doesn't accept the credentials ({0}): check the token, and that its owner is an active administrator"
    )]
    Unauthorized(Said),
    /// The credentials don't reach that far.
    #[error("the credentials may not do this ({said}): they need {scope} and an administrator's role that allows it")]
    Forbidden {
        /// What Okta says.
        said: Said,
        /// The scope that such calls need.
        scope: &'static str,
    },
    /// Not there.
    #[error("Okta has none ({0})")]
    NotFound(Said),
    /// Okta won't do it.
    #[error("Okta refuses ({0})")]
    Refused(Said),
    /// It asks for more patience than there is.
    #[error("Okta asks to wait {} s before the next call: run this again then", .0.as_secs())]
    Throttled(Duration),
    /// There are no credentials to call with.
    #[error("{0} (a service app asks for {scopes})", scopes = SCOPES.join(", "))]
    SignIn(String),
    /// No answer that can be understood. What was asked for may have been done.
    #[error("{0}")]
    Unavailable(String),
}

/// What Okta says about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    status: u16,
    text: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.status, if self.text.is_empty() { "" } else { ": " }, self.text)
    }
}

/// Told about what takes time.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// The management API of one organisation.
pub struct Client {
    rest: Rest,
    sign_in: SignIn,
    clock: Arc<dyn Clock>,
    tell: Tell,
}

impl Client {
    /// The organisation is `rest`'s base address.
    pub fn new(rest: Rest, sign_in: SignIn, clock: Arc<dyn Clock>, tell: Tell) -> Self {
        Self { rest, sign_in, clock, tell }
    }

    /// Reads one thing.
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, CallError> {
        understood(&self.send(&Method::GET, path, &[], None).await?)
    }

    /// Reads a list to its end.
    pub async fn list<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut asked = query.to_vec();
            asked.extend(after.as_deref().map(|cursor| ("after", cursor)));
            let answer = self.send(&Method::GET, path, &asked, None).await?;
            all.extend(understood::<Vec<T>>(&answer)?);
            after = next_page(&answer.headers);
            if after.is_none() {
                return Ok(all);
            }
        }
        Err(CallError::Unavailable(format!("{} has more than {MOST_PAGES} pages", path.join("/"))))
    }

    /// Makes a change, and gives what Okta answers: `null` where that is nothing.
    pub async fn change(&self, call: &Call) -> Result<Value, CallError> {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let answer = self.send(&call.method, &path, &[], call.body.as_ref()).await?;
        if answer.body.is_empty() { Ok(Value::Null) } else { understood(&answer) }
    }

    async fn send(
        &self,
        method: &Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, CallError> {
        let mut waits = 0;
        loop {
            let url = self.rest.url(path, query).map_err(|error| self.failed(error))?;
            let request = match body {
                Some(body) => self.rest.with_json(method.clone(), url, "application/json", body),
                None => self.rest.request(method.clone(), url),
            };
            let answer = self.sign_in.send(request).await.map_err(|error| self.failed(error))?;
            if answer.status != StatusCode::TOO_MANY_REQUESTS {
                return checked(answer, path);
            }
            // It wasn't done, so it can be asked for again.
            let wait = wait(&answer, self.clock.now());
            if waits == MOST_WAITS || wait > LONGEST_WAIT {
                return Err(CallError::Throttled(wait));
            }
            waits += 1;
            (self.tell)(&format!("Okta limits our rate: waiting {} s", wait.as_secs()));
            tokio::time::sleep(wait).await;
        }
    }

    fn failed(&self, error: DirectoryError) -> CallError {
        match error {
            DirectoryError::Unavailable(why) => CallError::Unavailable(why),
            DirectoryError::Rejected(why) => CallError::SignIn(why),
            DirectoryError::Throttled { until } => {
                let wait = until.map(|until| until.duration_since(self.clock.now()));
                CallError::Throttled(wait.and_then(|wait| wait.try_into().ok()).unwrap_or(UNTOLD_WAIT))
            }
        }
    }
}

fn checked(answer: Answer, path: &[&str]) -> Result<Answer, CallError> {
    let status = answer.status;
    if status.is_success() {
        return Ok(answer);
    }
    let said = said(&answer);
    Err(match status {
        StatusCode::UNAUTHORIZED => CallError::Unauthorized(said),
        StatusCode::FORBIDDEN => CallError::Forbidden { said, scope: scope(path) },
        StatusCode::NOT_FOUND => CallError::NotFound(said),
        _ if status.is_client_error() => CallError::Refused(said),
        _ if status.is_redirection() => {
            CallError::Unavailable(format!("it answers {status}, a redirect, which isn't followed: check its address"))
        }
        _ => CallError::Unavailable(format!("it answers {said}")),
    })
}

/// The scope that changes below this path need.
fn scope(path: &[&str]) -> &'static str {
    match path {
        [_, _, "meta", "types", ..] => "okta.userTypes.manage",
        [_, _, "meta", ..] => "okta.schemas.manage",
        [_, _, "inlineHooks", ..] => "okta.inlineHooks.manage",
        _ => "okta.authorizationServers.manage",
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "errorCode")]
    code: String,
    #[serde(rename = "errorSummary", default)]
    summary: String,
    #[serde(rename = "errorCauses", default)]
    causes: Vec<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(rename = "errorSummary", default)]
    summary: String,
}

fn said(answer: &Answer) -> Said {
    let status = answer.status.as_u16();
    let Ok(body) = serde_json::from_slice::<ErrorBody>(&answer.body) else {
        return Said { status, text: String::new() };
    };
    let causes = body.causes.into_iter().map(|cause| cause.summary);
    let parts: Vec<_> = [body.code, body.summary].into_iter().chain(causes).collect();
    let all = parts.join("; ");
    let text = all.chars().map(|c| if is_deceptive(c) { '\u{fffd}' } else { c }).take(MOST_CHARS).collect();
    Said { status, text }
}

fn understood<T: DeserializeOwned>(answer: &Answer) -> Result<T, CallError> {
    answer.json().map_err(|error| CallError::Unavailable(error.to_string()))
}

/// The cursor of the next page. The address is never followed: it could be another host's.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all("link").into_iter().filter_map(|value| value.to_str().ok());
    let mut links = links.flat_map(|value| value.split(','));
    let next = links.find(|link| link.contains("rel=\"next\""))?;
    let address = next.trim().strip_prefix('<')?.split('>').next()?;
    let address = url::Url::parse(address).ok()?;
    address.query_pairs().find(|(name, _)| name == "after").map(|(_, value)| value.into_owned())
}

/// How long Okta asks us to wait: by its own clock, and one second longer.
fn wait(answer: &Answer, now: Timestamp) -> Duration {
    let reset = answer.header("x-rate-limit-reset").and_then(|text| text.parse::<i64>().ok());
    let date = answer.header("date").and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
    let now = date.map_or(now, |date| date.timestamp()).as_second();
    let seconds = reset.map(|reset| reset.saturating_sub(now).saturating_add(1).max(1));
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(UNTOLD_WAIT, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn answer(headers: &[(&'static str, &str)], body: &str) -> Answer {
        let pairs = headers.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        let mut map = HeaderMap::new();
        pairs.for_each(|(name, value)| {
            map.append(name, value);
        });
        Answer { status: StatusCode::TOO_MANY_REQUESTS, headers: map, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn it_waits_by_oktas_clock() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let date = ("date", "Sat, 21 Nov 2026 18:00:00 GMT");
        let at = 1_795_284_000;
        for (reset, seconds) in [(at + 20, 21), (at, 1), (at - 50, 1), (at + 4000, 4001)] {
            let told = answer(&[date, ("x-rate-limit-reset", &reset.to_string())], "");
            assert_eq!(wait(&told, now), Duration::from_secs(seconds), "{reset}");
        }
        let by_ours = answer(&[("x-rate-limit-reset", "1000005")], "");
        assert_eq!(wait(&by_ours, now), Duration::from_secs(6));
        for untold in [answer(&[date], ""), answer(&[("x-rate-limit-reset", "soon")], "")] {
            assert_eq!(wait(&untold, now), UNTOLD_WAIT);
        }
    }

    #[test]
    fn a_page_is_asked_for_by_its_cursor() {
        let next = "<https://elsewhere.example.com/api/v1/x?after=abc%2B1&limit=2>; rel=\"next\"";
        let own = "<https://org.example.com/api/v1/x>; rel=\"self\"";
        for links in [vec![own, next], vec![next]] {
            let told = answer(&links.iter().map(|link| ("link", *link)).collect::<Vec<_>>(), "");
            assert_eq!(next_page(&told.headers).as_deref(), Some("abc+1"));
        }
        let together = format!("{own}, {next}");
        assert_eq!(next_page(&answer(&[("link", &together)], "").headers).as_deref(), Some("abc+1"));
        for none in [own, "<nonsense>; rel=\"next\"", "<https://o.example.com/>; rel=\"next\"", ""] {
            assert_eq!(next_page(&answer(&[("link", none)], "").headers), None, "{none}");
        }
    }

    #[test]
    fn what_okta_says_is_one_line_of_bounded_length() {
        let long = "x".repeat(5000);
        let body = serde_json::json!({"errorCode": "E0000001", "errorSummary": "Api validation failed: \u{1b}[31m",
            "errorCauses": [{"errorSummary": "name: taken\nforged line"}, {"errorSummary": long}]});
        let text = said(&answer(&[], &body.to_string())).to_string();
        assert!(
            text.starts_with("429: E0000001; Api validation failed: \u{fffd}[31m; name: taken\u{fffd}forged"),
            "{text}"
        );
        assert!(text.chars().count() < MOST_CHARS + 10);
        assert_eq!(said(&answer(&[], "<html>")).to_string(), "429");
    }
}
