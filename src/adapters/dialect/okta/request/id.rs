//! Where a delegation id travels in an Okta hook: in `state`, or in the query of the URL that the client called.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use url::form_urlencoded;

use crate::domain::{
    hook::Candidate,
    ids::DELEGATION_PREFIX,
    reservation::{ReservationSecret, SECRET_PREFIX},
    text::without_json_escapes,
};

/// Parameters of the called URL, each in the order they stand there, form-decoded.
#[derive(Default)]
pub(super) struct Query<'a> {
    delegation_ids: Vec<Cow<'a, str>>,
    states: Vec<Cow<'a, str>>,
    response_types: Vec<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Reads the URL's query. The rest need not be a URL.
    pub(super) fn of(url: Cow<'a, str>) -> Self {
        match url {
            Cow::Borrowed(url) => Self::read(url, |value| value),
            Cow::Owned(url) => Self::read(&url, |value| Cow::Owned(value.into_owned())),
        }
    }

    fn read<'u>(url: &'u str, keep: impl Fn(Cow<'u, str>) -> Cow<'a, str>) -> Self {
        let before_fragment = url.split('#').next().unwrap_or_default();
        let query = before_fragment.split_once('?').map_or("", |(_, query)| query);
        let mut found = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "delegationid" => found.delegation_ids.push(keep(value)),
                "state" => found.states.push(keep(value)),
                "response_type" => found.response_types.push(keep(value)),
                _ => {}
            }
        }
        found
    }
}

/// The delegation id: the first value with its prefix in `state`, query `delegationid`, query `state`; or, in its whole
/// form, the secret of a reservation. A state of the original grant is the login's and was used then: it is no candidate
/// anywhere.
pub(super) fn candidate<'a>(
    state: Option<Cow<'a, str>>,
    query: Query<'a>,
    spent: &[Option<Cow<'_, str>>],
) -> Candidate<Cow<'a, str>> {
    let is_spent = |value: &Cow<'_, str>| spent.iter().flatten().any(|state| state == value);
    // A client's own state may begin with `rsv_`; nobody's has the rest of it by chance.
    let is_ours = |value: &str| value.starts_with(DELEGATION_PREFIX) || ReservationSecret::parse(value).is_some();
    let mut fresh = state
        .into_iter()
        .chain(query.delegation_ids)
        .chain(query.states)
        .filter(|value| is_ours(value) && !is_spent(value));
    let Some(first) = fresh.next() else {
        return Candidate::None;
    };
    if fresh.any(|other| other != first) {
        return Candidate::Ambiguous;
    }
    if first.starts_with(SECRET_PREFIX) { Candidate::Reservation(first) } else { Candidate::One(first) }
}

/// True for `code` together with anything else (OAuth 2.0 Multiple Response Types, section 5).
pub(super) fn is_hybrid(response_type: Option<&str>, query: &Query<'_>) -> bool {
    let is_hybrid = |kinds: &mut dyn Iterator<Item = &str>| {
        let (code, other) = kinds.fold((false, false), |(code, other), kind| match kind {
            "" => (code, other),
            "code" => (true, other),
            _ => (code, true),
        });
        code && other
    };
    match response_type {
        Some(kinds) => is_hybrid(&mut kinds.split(' ')),
        None => is_hybrid(&mut query.response_types.iter().flat_map(|kinds| kinds.split(' '))),
    }
}

/// Whether an unreadable body may hold a delegation id or a reservation's secret, plain or behind escapes of JSON and of URLs. Rather true.
pub(super) fn may_carry_id(body: &[u8]) -> bool {
    let json = without_json_escapes(body);
    let url: Vec<u8> = percent_decode(&json).collect();
    let may_hold = |text: &[u8]| [DELEGATION_PREFIX, SECRET_PREFIX].iter().any(|prefix| holds(text, prefix.as_bytes()));
    [body, &json, &url].into_iter().any(may_hold)
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_seen_through_its_disguises() {
        let disguises: [&[u8]; 8] = [
            b"dlg_x",
            br#"{"state":"\u0064lg_x"}"#,
            br#""dl\u0067\u005Fx""#,
            b"?state=%64lg_",
            b"?state=d%6Cg%5fx",
            br"?state=\u00256\u0034lg_",
            b"\xff dlg_",
            b"?state=%72sv_x",
        ];
        for body in disguises {
            assert!(may_carry_id(body), "{}", String::from_utf8_lossy(body));
        }
        for body in [b"".as_slice(), b"dlg", br"\u00", b"%6", b"{\"state\":\"dlr_x\"}"] {
            assert!(!may_carry_id(body), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn code_and_anything_else_is_hybrid() {
        let query = |url: &'static str| Query::of(Cow::Borrowed(url));
        let none = Query::default();
        for (kinds, hybrid) in
            [("code", false), ("token id_token", false), ("code token", true), ("id_token  code", true), ("", false)]
        {
            assert_eq!(is_hybrid(Some(kinds), &none), hybrid, "{kinds}");
        }
        assert!(is_hybrid(None, &query("https://as.test/authorize?response_type=code+id_token")));
        assert!(is_hybrid(None, &query("/authorize?response_type=code&response_type=token")));
        assert!(!is_hybrid(None, &query("/authorize?response_type=code#response_type=token")));
        assert!(!is_hybrid(Some("code"), &query("/authorize?response_type=code+id_token")));
    }
}
