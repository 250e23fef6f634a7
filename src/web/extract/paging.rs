//! Pages by cursor.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{app::listing::Cursor, ports::store::Key, web::error::ApiError};

/// Items on a page, unless asked otherwise.
const DEFAULT: usize = 50;
/// At most this many.
const MOST: usize = 200;

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items on the page, 1 to 200; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200, example = 50)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(nullable = false)]
    pub cursor: Option<String>,
}

impl PageQuery {
    /// The limit within its bounds.
    pub fn limit(&self) -> Result<usize, ApiError> {
        limit(self.limit)
    }

    /// The position that the cursor means.
    pub fn after(&self) -> Result<Option<Cursor>, ApiError> {
        self.cursor.as_deref().map(parse_cursor).transpose()
    }
}

/// A limit within its bounds.
pub fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    match asked {
        None => Ok(DEFAULT),
        Some(n) if (1..=MOST).contains(&n) => Ok(n),
        Some(_) => Err(ApiError::Invalid { field: Some("limit".to_owned()), problem: format!("must be 1 to {MOST}") }),
    }
}

/// A position as a cursor.
pub fn cursor_text((sort, key): Cursor) -> String {
    let mut raw = [0; 49];
    raw[..8].copy_from_slice(&sort.to_be_bytes());
    raw[8..].copy_from_slice(&key.to_bytes());
    URL_SAFE_NO_PAD.encode(raw)
}

/// The inverse of [`cursor_text`].
pub fn parse_cursor(text: &str) -> Result<Cursor, ApiError> {
    let read = || {
        let raw: [u8; 49] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (sort, key) = raw.split_at(8);
        Some((u64::from_be_bytes(sort.try_into().ok()?), Key::from_bytes(key.try_into().ok()?)))
    };
    read().ok_or_else(|| ApiError::Invalid {
        field: Some("cursor".to_owned()),
        problem: "is none that this list gave".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::ids::RecordId, ports::store::Kind};

    #[test]
    fn cursors_round_trip_and_garbage_is_refused() {
        let cursor = (7, Key { kind: Kind(2), id: RecordId { time: 9, hash: [3; 32] } });
        assert_eq!(parse_cursor(&cursor_text(cursor)).unwrap(), cursor);
        for bad in ["", "x", "!!", &cursor_text(cursor)[1..]] {
            assert!(parse_cursor(bad).is_err(), "{bad}");
        }
    }
}
