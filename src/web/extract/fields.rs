//! What came in, read into its type; what is no good is named by its place.

use std::{fmt::Display, future::Ready, ops::Deref};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::text::brief;
use crate::web::error::ApiError;

/// The query, as this type.
pub struct Query<T>(pub T);

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        std::future::ready(read("query", serde_urlencoded::Deserializer::new(pairs)).map(Self))
    }
}

/// Reads it. `part` is what it is, for people.
pub(super) fn read<'de, T, D>(part: &str, from: D) -> Result<T, ApiError>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error: Display>,
{
    serde_path_to_error::deserialize(from).map_err(|error| {
        let said = error.inner().to_string();
        wrong(part, &error.path().to_string(), &said)
    })
}

/// The problem with what is at `path`; `.` is the whole, and `?` a place that has no name because the text breaks off.
fn wrong(part: &str, path: &str, said: &str) -> ApiError {
    let within = Some(path).filter(|path| *path != "." && !path.ends_with('?'));
    let field = match (within, named(said)) {
        // Whether a place that isn't known is in the path is the format's business.
        (Some(path), Some(name)) if path.rsplit('.').next() != Some(name) => Some(format!("{path}.{name}")),
        (Some(path), _) => Some(path.to_owned()),
        (None, name) => name.map(str::to_owned),
    };
    not_taken(part, field.as_deref(), &said)
}

/// The problem with a part of the request, or with a field in it.
pub fn not_taken(part: &str, field: Option<&str>, said: &dyn Display) -> ApiError {
    let inside = if field.is_some() { "in " } else { "" };
    let problem = format!("{inside}the {part} is not what this route takes: {}", brief(said));
    ApiError::Invalid { field: field.map(|field| brief(&field)), problem }
}

/// The field that serde's own sentences name.
fn named(said: &str) -> Option<&str> {
    let begins = ["missing field `", "unknown field `", "duplicate field `"];
    let rest = begins.into_iter().find_map(|begin| said.strip_prefix(begin))?;
    rest.split_once('`').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is asked")]
    struct Outer {
        inner: Option<Inner>,
        list: Option<Vec<u8>>,
        count: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is asked")]
    struct Inner {
        text: String,
    }

    fn field_of_json(text: &str) -> Option<String> {
        match read::<Outer, _>("body", &mut serde_json::Deserializer::from_str(text)) {
            Err(ApiError::Invalid { field, .. }) => field,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_good_is_named_by_its_place() {
        for (body, field) in [
            (r#"{"count": 300}"#, Some("count")),
            (r#"{"count": "1"}"#, Some("count")),
            ("{}", Some("count")),
            (r#"{"count": 1, "count": 2}"#, Some("count")),
            (r#"{"count": 1, "more": 2}"#, Some("more")),
            (r#"{"count": 1, "inner": {}}"#, Some("inner.text")),
            (r#"{"count": 1, "inner": {"text": 1}}"#, Some("inner.text")),
            (r#"{"count": 1, "inner": {"text": "", "b": 1}}"#, Some("inner.b")),
            (r#"{"count": 1, "list": [1, true]}"#, Some("list[1]")),
            ("[]", None),
            ("{", None),
            (r#"{"inner": {"#, None),
            ("", None),
        ] {
            assert_eq!(field_of_json(body).as_deref(), field, "{body}");
        }
    }

    #[test]
    fn of_a_query_too() {
        for (query, field) in [("", "count"), ("count=x", "count"), ("count=1&b=2", "b"), ("count=1&count=2", "count")]
        {
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            match read::<Outer, _>("query", serde_urlencoded::Deserializer::new(pairs)) {
                Err(ApiError::Invalid { field: Some(named), .. }) => assert_eq!(named, field, "{query}"),
                other => panic!("{query}: {other:?}"),
            }
        }
    }
}
