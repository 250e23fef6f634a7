//! Lists in pages: the next one only by `Link`, one header for each relation.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{World, answer::Say, state::State};

/// The page of `items` that the query asks for. Each item has a key, by which they are sorted.
pub(super) fn page(
    world: &World,
    state: &State,
    path: &str,
    query: &BTreeMap<String, String>,
    items: Vec<(String, Value)>,
) -> Say {
    let most = match query.get("limit").map(|text| text.parse::<usize>()) {
        None => 200,
        Some(Ok(limit)) if limit >= 1 => limit.min(200),
        Some(_) => return Say::invalid("limit"),
    };
    let after = query.get("after").map(|cursor| cursor.strip_prefix("c-").unwrap_or_default().to_owned());
    if after.as_deref() == Some("") {
        return Say::invalid("after");
    }
    let rest: Vec<_> = items.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).collect();
    let size = most.min(state.page);
    let last = rest.get(size.saturating_sub(1)).filter(|_| rest.len() > size).map(|(key, _)| key.clone());
    let address = |origin: &str, after: Option<&str>| {
        let mut pairs: Vec<_> = query.iter().filter(|(name, _)| *name != "after").collect();
        let cursor = ("after".to_owned(), after.map(|key| format!("c-{key}")).unwrap_or_default());
        if after.is_some() {
            pairs.push((&cursor.0, &cursor.1));
        }
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        format!("{origin}{path}?{}", pairs.join("&"))
    };
    let mut headers = vec![("link", format!("<{}>; rel=\"self\"", address(&world.url, None)))];
    if let Some(last) = last {
        let origin = state.next_origin.as_deref().unwrap_or(&world.url);
        headers.push(("link", format!("<{}>; rel=\"next\"", address(origin, Some(&last)))));
    }
    Say::Json(rest.into_iter().take(size).map(|(_, item)| item).collect(), headers)
}
