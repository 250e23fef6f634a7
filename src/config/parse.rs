//! Parsers of single values.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
};

use url::Url;

use super::mistakes::{Fault, fault};
use crate::domain::ids::{Issuer, plain_text};

/// Any one-line text.
pub(super) fn text(value: &str) -> Result<String, Fault> {
    match plain_text(value, 512) {
        Ok(text) => Ok(text.to_owned()),
        Err(e) => Err(fault(e.to_string(), "give a text, or leave the setting out")),
    }
}

/// A text without spaces: the name of a claim, an attribute, a client.
pub(super) fn word(value: &str) -> Result<String, Fault> {
    let word = text(value)?;
    if word.chars().any(char::is_whitespace) {
        return Err(fault(format!("`{word}` holds a space"), "give one name"));
    }
    Ok(word)
}

/// A scope (RFC 6749, 3.3: printable ASCII but space, quote and backslash).
pub(super) fn scope(value: &str) -> Result<String, Fault> {
    let fits = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if value.is_empty() || value.len() > 256 || !value.bytes().all(fits) {
        return Err(fault("is not the name of a scope", "give printable ASCII without spaces, quotes and backslashes"));
    }
    Ok(value.to_owned())
}

/// A whole number within bounds.
pub(super) fn number<N>(bounds: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, Fault>
where
    N: FromStr + PartialOrd + Display,
{
    move |value| match value.parse::<N>() {
        Ok(number) if bounds.contains(&number) => Ok(number),
        _ => {
            let remedy = format!("give a whole number from {} to {}", bounds.start(), bounds.end());
            Err(fault(format!("`{value}` doesn't fit"), remedy))
        }
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&str) -> Result<T, Fault> {
    move |value| {
        let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(value));
        known.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let all: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            fault(format!("`{value}` is unknown"), format!("give {}", all.join(", ")))
        })
    }
}

/// On or off.
pub(super) fn switch(value: &str) -> Result<bool, Fault> {
    choice(&[("on", true), ("off", false), ("true", true), ("false", false)])(value)
}

/// An address with a port.
pub(super) fn address(value: &str) -> Result<SocketAddr, Fault> {
    value.parse().map_err(|_| {
        fault(format!("`{value}` is no address"), "give an IP address with a port, such as `0.0.0.0:8080`")
    })
}

/// A web origin, spelled as browsers spell it (RFC 6454).
pub(super) fn origin(value: &str) -> Result<String, Fault> {
    let url = Url::parse(value).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    match url.map(|url| url.origin().ascii_serialization()) {
        Some(origin) if origin == value => Ok(origin),
        Some(origin) => Err(fault(format!("`{value}` is more than an origin"), format!("write `{origin}`"))),
        None => Err(fault(format!("`{value}` is no web origin"), "write it like `https://app.example.com`")),
    }
}

/// An issuer: an https URL without query and fragment (OpenID Connect Discovery 3); http on this machine, and
/// anywhere in development.
pub(super) fn issuer(development: bool) -> impl Fn(&str) -> Result<Issuer, Fault> {
    move |value| {
        let what = format!("`{value}` is no issuer");
        let no_url = fault(what, "give the https URL that tokens have in `iss`, nothing behind it");
        web_url(value, development, "its keys fetched", no_url)?;
        Issuer::parse(value).map_err(|e| fault(e.to_string(), "give the https URL that tokens have in `iss`"))
    }
}

/// An https URL without query, fragment and account; http on this machine, and anywhere in development. `exposed` is
/// what it would have done in the clear, `no_url` what is wrong with anything else.
pub(super) fn web_url(value: &str, development: bool, exposed: &str, no_url: Fault) -> Result<Url, Fault> {
    let Some(url) = Url::parse(value).ok().filter(is_bare) else { return Err(no_url) };
    let here = url.host_str().is_some_and(|host| is_loopback(host.trim_matches(['[', ']'])));
    if url.scheme() == "http" && !development && !here {
        let remedy = "use https, or set BEHALF_ENV=development where it can't harm";
        return Err(fault(format!("`{value}` would have {exposed} in the clear"), remedy));
    }
    Ok(url)
}

fn is_bare(url: &Url) -> bool {
    let nobody = url.username().is_empty() && url.password().is_none();
    nobody && url.query().is_none() && url.fragment().is_none() && matches!(url.scheme(), "http" | "https")
}

/// True if that host, an IPv6 address without brackets, is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_https_but_at_home() {
        let strict = issuer(false);
        for good in
            ["https://id.example.com/oauth2/default", "http://127.0.0.1:9000", "http://localhost", "http://[::1]:1"]
        {
            assert!(strict(good).is_ok(), "{good}");
        }
        for bad in
            ["", "id.example.com", "ftp://x", "http://id.example.com", "https://x?y", "https://x#y", "https://a:b@x"]
        {
            assert!(strict(bad).is_err(), "{bad}");
        }
        assert!(issuer(true)("http://id.example.com").is_ok());
    }

    #[test]
    fn origins_are_exact() {
        assert!(origin("https://app.example.com").is_ok() && origin("http://localhost:3000").is_ok());
        assert_eq!(origin("https://app.example.com/").unwrap_err().remedy, "write `https://app.example.com`");
        for bad in ["*", "app.example.com", "https://App.example.com", "https://app.example.com:443", "null"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn scopes_are_rfc_6749() {
        assert!(scope("payments.read").is_ok());
        for bad in ["", "a b", "a\"b", "a\\b", "é"] {
            assert!(scope(bad).is_err(), "{bad}");
        }
    }
}
