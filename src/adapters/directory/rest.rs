//! Calls to a directory that speaks JSON over HTTP: addresses that no input can bend, bounded answers.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use reqwest::{
    Method, Response, StatusCode,
    header::{CONTENT_LENGTH, HeaderMap},
};
use serde::de::DeserializeOwned;
use url::Url;

use crate::{
    adapters::http_client::{explain, read_bounded},
    ports::directory::DirectoryError,
};

/// The longest answer that is read, in bytes: a page of 200 users with large profiles.
const MOST_BYTES: usize = 4 << 20;

/// All but the unreserved characters of RFC 3986, 2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One server, below one address.
#[derive(Clone)]
pub struct Rest {
    client: reqwest::Client,
    base: Url,
}

/// An answer, read to its end.
pub struct Answer {
    /// Of the response.
    pub status: StatusCode,
    /// Of the response.
    pub headers: HeaderMap,
    /// Of the response.
    pub body: Vec<u8>,
}

impl Rest {
    /// Everything is asked below `base`, with or without a slash at its end. The client follows no redirect.
    pub fn new(client: reqwest::Client, base: Url) -> Self {
        Self { client, base }
    }

    /// Where calls go.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The address of `segments` below the base, each percent-encoded whole, and of `query`. A segment that names
    /// nothing (empty, `.`, `..`) is an error, because a URL would lose it.
    pub fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, DirectoryError> {
        let mut path = self.base.path().trim_end_matches('/').to_owned();
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                return Err(DirectoryError::Rejected(format!("{segment:?} can't be a part of an address")));
            }
            path.push('/');
            path.extend(encoded(segment));
        }
        let mut url = self.base.clone();
        url.set_path(&path);
        let pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        url.set_query((!pairs.is_empty()).then(|| pairs.join("&")).as_deref());
        Ok(url)
    }

    /// A request without a body. Methods that usually have one say that it is empty: some servers want to be told.
    pub fn request(&self, method: Method, url: Url) -> reqwest::RequestBuilder {
        let bodyless = method == Method::POST || method == Method::PUT;
        let request = self.client.request(method, url);
        if bodyless { request.header(CONTENT_LENGTH, 0) } else { request }
    }

    /// A request with a JSON body of that media type.
    pub fn with_json(
        &self,
        method: Method,
        url: Url,
        media: &str,
        body: &serde_json::Value,
    ) -> reqwest::RequestBuilder {
        self.client.request(method, url).header(reqwest::header::CONTENT_TYPE, media).body(body.to_string())
    }

    /// A request with a form, as OAuth's endpoints take it.
    pub fn with_form(&self, method: Method, url: Url, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        self.client.request(method, url).form(fields)
    }

    /// Sends it and reads the answer to its end. Whatever the status is, an answer is an answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, DirectoryError> {
        let failed = |error: reqwest::Error| unavailable(&explain(&error.without_url()));
        let response: Response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_bounded(response, MOST_BYTES).await.map_err(|error| unavailable(&explain(&error)))?;
        Ok(Answer { status, headers, body })
    }
}

impl Answer {
    /// The body as JSON of that form; anything else is an answer that isn't understood.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, DirectoryError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // Where it broke, never what was there: the body is somebody's profile.
            DirectoryError::Garbled(format!(
                "it answered {} with a body that isn't understood (line {})",
                self.status,
                error.line()
            ))
        })
    }

    /// The header's value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A space becomes `%20`, never `+`, which some servers take for itself.
fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, SEGMENT)
}

fn unavailable(what: &str) -> DirectoryError {
    DirectoryError::Unavailable(what.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "it calls nobody")]
    fn rest(base: &str) -> Rest {
        Rest::new(reqwest::Client::new(), Url::parse(base).unwrap())
    }

    #[test]
    fn segments_lie_below_the_base() {
        for base in ["https://org.example.com/scim/v2", "https://org.example.com/scim/v2/"] {
            let url = rest(base).url(&["Users", "a/b?c#d%e f+é"], &[("filter", "id eq \"a&b\"")]).unwrap();
            assert_eq!(
                url.as_str(),
                "https://org.example.com/scim/v2/Users/a%2Fb%3Fc%23d%25e%20f%2B%C3%A9?filter=id%20eq%20%22a%26b%22"
            );
        }
        let url = rest("https://org.example.com").url(&["api", "v1"], &[]).unwrap();
        assert_eq!(url.as_str(), "https://org.example.com/api/v1");
        for nothing in ["", ".", ".."] {
            assert!(rest("https://org.example.com").url(&["api", nothing], &[]).is_err());
        }
    }

    proptest! {
        /// Whatever is asked for stays one segment of the path and one value of the query, and comes out as it went in.
        #[test]
        fn no_input_changes_the_shape(segment in "\\PC{1,40}|[./%?#&=+;\\\\]{1,12}", value in "\\PC{0,40}") {
            let made = rest("https://org.example.com/api").url(&["users", &segment, "groups"], &[("search", &value)]);
            let Ok(url) = made else {
                prop_assert!(segment == "." || segment == "..");
                return Ok(());
            };
            prop_assert_eq!(url.host_str(), Some("org.example.com"));
            prop_assert_eq!(url.fragment(), None);
            let parts: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(parts.len(), 4);
            prop_assert_eq!((parts[0], parts[1], parts[3]), ("api", "users", "groups"));
            let decoded = percent_encoding::percent_decode_str(parts[2]).decode_utf8().unwrap();
            prop_assert_eq!(decoded.as_ref(), segment.as_str());
            let pairs: Vec<_> = url.query_pairs().collect();
            prop_assert_eq!(pairs.len(), 1);
            prop_assert_eq!((pairs[0].0.as_ref(), pairs[0].1.as_ref()), ("search", value.as_str()));
        }
    }
}
