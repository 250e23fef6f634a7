//! Signed webhooks (Standard Webhooks 1.0), to addresses that the guard lets through.

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use url::{Host, Url};

use super::guard::{Guarded, Lookup, Refused, is_public};
use crate::{
    adapters::http_client::{self, HttpClientError},
    ports::notifier::{Failure, Post, Webhook},
};

/// How long one try may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where it leads, and how it is signed.
pub struct Settings<'a> {
    /// The receiver.
    pub url: Url,
    /// One key, or two while they are rotated; a signature is made with each.
    pub keys: Vec<&'a [u8]>,
    /// It may lead anywhere, with or without TLS.
    pub allow_private: bool,
    /// Certificates to trust besides the system's, PEM.
    pub ca_file: Option<&'a Path>,
}

/// A webhook.
pub struct SignedWebhook {
    client: reqwest::Client,
    url: Url,
    keys: Vec<hmac::Key>,
    allow_private: bool,
}

impl SignedWebhook {
    /// Asks nobody yet.
    pub fn new(settings: &Settings<'_>, lookup: Arc<dyn Lookup>) -> Result<Self, HttpClientError> {
        let allow_private = settings.allow_private;
        let resolver = Arc::new(Guarded { lookup, allow_private });
        let client = http_client::build_with(settings.ca_file, |builder| {
            // A connection that is kept would outlive the judgement of its address.
            builder.dns_resolver(Arc::clone(&resolver)).timeout(TIMEOUT).pool_max_idle_per_host(0)
        })?;
        let keys = settings.keys.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key)).collect();
        Ok(Self { client, url: settings.url.clone(), keys, allow_private })
    }

    /// `webhook-signature`: one `v1` for each key.
    fn signature(&self, id: &str, seconds: i64, body: &str) -> String {
        let content = format!("{id}.{seconds}.{body}");
        let sign = |key| format!("v1,{}", STANDARD.encode(hmac::sign(key, content.as_bytes())));
        self.keys.iter().map(sign).collect::<Vec<_>>().join(" ")
    }

    /// Addresses that are written out aren't resolved: they are judged here.
    fn judged(&self) -> Result<(), Failure> {
        let literal = match self.url.host() {
            Some(Host::Ipv4(ip)) => Some(ip.into()),
            Some(Host::Ipv6(ip)) => Some(ip.into()),
            Some(Host::Domain(_)) | None => None,
        };
        let bad = !self.allow_private && (self.url.scheme() != "https" || literal.is_some_and(|ip| !is_public(ip)));
        if bad { Err(Failure::passing("address-refused")) } else { Ok(()) }
    }
}

#[async_trait]
impl Webhook for SignedWebhook {
    async fn post(&self, post: Post<'_>) -> Result<(), Failure> {
        self.judged()?;
        let seconds = post.at.as_second();
        let answer = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", post.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", self.signature(post.id, seconds, post.body))
            .body(post.body.to_owned())
            .send()
            .await
            .map_err(|error| Failure::passing(why(&error)))?;
        // What it says besides is not read.
        judge(answer.status(), answer.headers(), post.at)
    }
}

fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Result<(), Failure> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(Failure::Gone),
        status if status.is_redirection() => Err(Failure::passing("redirect")),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Err(Failure::Passing { why: format!("http-{}", status.as_u16()), wait: retry_after(headers, now) })
        }
        status => Err(Failure::passing(format!("http-{}", status.as_u16()))),
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(SignedDuration::from_secs(seconds.into()));
    }
    let at = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(at.duration_since(now))
}

/// What went wrong before there was an answer, as a code. Never the address or the receiver's words.
fn why(error: &reqwest::Error) -> &'static str {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(present) = cause {
        if present.is::<Refused>() {
            return "address-refused";
        }
        cause = present.source();
    }
    match error {
        error if error.is_timeout() => "timed-out",
        error if error.is_connect() => "no-connection",
        _ => "broken-off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::notify::guard::SystemLookup;

    fn webhook(url: &str, keys: Vec<&[u8]>) -> SignedWebhook {
        let settings = Settings { url: Url::parse(url).unwrap(), keys, allow_private: false, ca_file: None };
        SignedWebhook::new(&settings, Arc::new(SystemLookup)).unwrap()
    }

    /// The vector of the specification's reference libraries.
    #[test]
    fn the_signature_is_that_of_the_reference() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let other = [7; 24];
        let made = webhook("https://x.test/", vec![&key, &other]).signature(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        let (first, second) = made.split_once(' ').unwrap();
        assert_eq!(first, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(second.starts_with("v1,") && second.len() == first.len() && second != first);
    }

    #[test]
    fn addresses_that_are_written_out_are_judged() {
        for bad in [
            "http://hook.example.com/",
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://[::ffff:7f00:1]/",
            "https://2130706433/",
        ] {
            let refused = webhook(bad, vec![&[1; 24]]).judged();
            assert_eq!(refused, Err(Failure::passing("address-refused")), "{bad}");
        }
        assert_eq!(webhook("https://8.8.8.8/", vec![&[1; 24]]).judged(), Ok(()));
    }

    #[test]
    fn a_receiver_may_ask_for_time() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let after = |text: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            match judge(StatusCode::SERVICE_UNAVAILABLE, &headers, now) {
                Err(Failure::Passing { wait, .. }) => wait.map(|wait| wait.as_secs()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(after("120"), Some(120));
        assert_eq!(after("Sat, 21 Nov 2026 10:05:00 GMT"), Some(300));
        for nothing in ["", "soon", "-1", "99999999999999999999"] {
            assert_eq!(after(nothing), None, "{nothing}");
        }
        assert_eq!(judge(StatusCode::GONE, &HeaderMap::new(), now), Err(Failure::Gone));
        assert_eq!(judge(StatusCode::FOUND, &HeaderMap::new(), now), Err(Failure::passing("redirect")));
        assert_eq!(judge(StatusCode::NO_CONTENT, &HeaderMap::new(), now), Ok(()));
    }
}
