//! Addresses in Okta's answers. None is followed where it leads: what is in it is taken out if it is one of ours.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

/// The id behind `path` in an address on `base`'s own server.
pub(super) fn id_in(base: &Url, href: &str, path: &[&str]) -> Option<String> {
    let url = Url::parse(href).ok()?;
    if url.origin() != base.origin() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let mut segments = url.path_segments()?;
    let below = base.path_segments()?.filter(|part| !part.is_empty());
    if !below.chain(path.iter().copied()).all(|wanted| segments.next() == Some(wanted)) {
        return None;
    }
    let id = segments.next().filter(|id| !id.is_empty())?;
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    (plain && segments.next().is_none()).then(|| id.to_owned())
}

/// Where the next page is.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::adapters) enum Next {
    /// There is none.
    End,
    /// There.
    At(Url),
    /// Somewhere else than this page was.
    Elsewhere,
}

/// Finds the next page of what came from `here`, in any number of `Link` headers.
pub(in crate::adapters) fn next(headers: &HeaderMap, here: &Url) -> Next {
    let mut found = None;
    for header in headers.get_all(LINK) {
        let Ok(text) = header.to_str() else { return Next::Elsewhere };
        found = found.or_else(|| text.split(",<").flat_map(|part| part.split(", <")).find_map(target_of_next));
    }
    let Some(target) = found else { return Next::End };
    match Url::parse(target) {
        Ok(url) if url.origin() == here.origin() && url.path() == here.path() && url != *here => Next::At(url),
        _ => Next::Elsewhere,
    }
}

/// The address of a link value (RFC 8288) whose relation is `next`.
fn target_of_next(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().trim_start_matches('<').split_once('>')?;
    let is_next = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
    };
    parameters.split(';').any(is_next).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn ids_are_taken_from_our_own_server_only() {
        let base = url("https://org.okta.com/");
        let take = |href: &str| id_in(&base, href, &["api", "v1", "users"]);
        assert_eq!(take("https://org.okta.com/api/v1/users/00uacme"), Some("00uacme".to_owned()));
        for bad in [
            "https://evil.example/api/v1/users/00uacme",
            "http://org.okta.com/api/v1/users/00uacme",
            "https://org.okta.com:444/api/v1/users/00uacme",
            "https://a@org.okta.com/api/v1/users/00uacme",
            "https://org.okta.com/api/v1/users/00uacme/groups",
            "https://org.okta.com/api/v1/users/",
            "https://org.okta.com/api/v1/users/a%2Fb",
            "https://org.okta.com/api/v1/groups/00gacme",
            "https://org.okta.com/api/v1/users/../groups",
            "/api/v1/users/00uacme",
            "",
        ] {
            assert_eq!(take(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_next_page_is_where_this_one_was() {
        let here = url("https://org.okta.com/api/v1/users?search=x&limit=2");
        let at = |links: &[&str]| {
            let mut headers = HeaderMap::new();
            for link in links {
                headers.append(LINK, link.parse().unwrap());
            }
            next(&headers, &here)
        };
        let more = "https://org.okta.com/api/v1/users?after=c&limit=2";
        let (own, other) = (format!("<{here}>; rel=\"self\""), format!("<{more}>; rel=\"next\""));
        assert_eq!(at(&[&own]), Next::End);
        assert_eq!(at(&[]), Next::End);
        assert_eq!(at(&[&own, &other]), Next::At(url(more)));
        assert_eq!(at(&[&format!("{own}, {other}")]), Next::At(url(more)));
        assert_eq!(at(&[&format!("<{more}>; REL=next; x=y")]), Next::At(url(more)));
        for bad in ["https://evil.example/api/v1/users?after=c", "https://org.okta.com/api/v1/groups?after=c", "x"] {
            assert_eq!(at(&[&format!("<{bad}>; rel=\"next\"")]), Next::Elsewhere, "{bad}");
        }
        assert_eq!(at(&[&format!("<{here}>; rel=\"next\"")]), Next::Elsewhere);
    }
}
