//! Texts from outside, checked.

use std::collections::BTreeSet;

use crate::{
    domain::ids::{IdError, UserRef, is_deceptive, plain_text, visible},
    web::error::ApiError,
};

/// Scopes that a delegation can be bound to.
const MOST_SCOPES: usize = 100;

fn invalid(field: &str, error: IdError) -> ApiError {
    ApiError::Invalid { field: Some(field.to_owned()), problem: error.to_string() }
}

/// What a parser says, fit for an answer: it may quote what the caller sent, at any length.
pub fn brief(error: &dyn std::fmt::Display) -> String {
    const MOST: usize = 200;
    let text = error.to_string();
    let shown: String = text.chars().filter(|c| !is_deceptive(*c)).take(MOST).collect();
    if shown.chars().count() == MOST { format!("{shown}…") } else { shown }
}

/// An id or a login.
pub fn user_ref(field: &str, text: &str) -> Result<UserRef, ApiError> {
    UserRef::parse(text).map_err(|error| invalid(field, error))
}

/// A person's words, at most `max` characters; a text in which nothing is to be seen is none.
pub fn free_text(field: &str, text: Option<String>, max: usize) -> Result<Option<String>, ApiError> {
    let Some(text) = text.filter(|t| !t.is_empty()) else { return Ok(None) };
    plain_text(&text, max).map_err(|error| invalid(field, error))?;
    Ok(Some(text).filter(|text| visible(text) > 0))
}

/// Scopes by the grammar of RFC 6749 3.3.
pub fn scope_set(field: &str, scopes: Vec<String>) -> Result<BTreeSet<String>, ApiError> {
    let token =
        |s: &String| (1..=256).contains(&s.len()) && s.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if scopes.is_empty() || scopes.len() > MOST_SCOPES || !scopes.iter().all(token) {
        let problem = format!("must be 1 to {MOST_SCOPES} scopes (RFC 6749 3.3), or be left out");
        return Err(ApiError::Invalid { field: Some(field.to_owned()), problem });
    }
    Ok(scopes.into_iter().collect())
}
