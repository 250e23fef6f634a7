//! Reading requests: parameters, clients, scopes.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, http::header::AUTHORIZATION};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret;
use url::{Host, Url};

use super::{DevClient, DevSettings, error::OAuthError};

/// Parameters of a query or a form. One that is there twice is an error (RFC 6749, 3.1).
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    pub(super) fn read(encoded: &[u8]) -> Result<Self, OAuthError> {
        let mut found = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(encoded) {
            if found.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(OAuthError::invalid_request("a parameter is there twice"));
            }
        }
        Ok(Self(found))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(&format!("{name} is missing")))
    }
}

/// The client that asks at the token endpoint, by Basic or by form (RFC 6749, 2.3.1).
pub(super) fn client<'a>(
    settings: &'a DevSettings,
    request: &HttpRequest,
    form: &Params,
) -> Result<&'a DevClient, OAuthError> {
    let wrong = || OAuthError::new("invalid_client", "unknown client, or wrong secret");
    let basic = request.headers().get(AUTHORIZATION).and_then(|value| basic(value.to_str().ok()?));
    let (id, secret) = match basic {
        Some((id, secret)) => (id, Some(secret)),
        None => (form.need("client_id")?.to_owned(), form.get("client_secret").map(str::to_owned)),
    };
    let client = settings.clients.iter().find(|client| client.id == id).ok_or_else(wrong)?;
    let known = client.secret.as_ref().map(ExposeSecret::expose_secret);
    if known == secret.as_deref() { Ok(client) } else { Err(wrong()) }
}

fn basic(header: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// Whether the client's codes may be sent there. A public client on this machine listens on whatever port is free
/// (RFC 8252, 7.3); everything else is compared to the byte.
pub(super) fn may_be_sent_to(client: &DevClient, redirect: &str) -> bool {
    let fits =
        |known: &String| known == redirect || (client.secret.is_none() && differs_by_loopback_port(known, redirect));
    client.redirect_uris.iter().any(fits)
}

fn differs_by_loopback_port(known: &str, redirect: &str) -> bool {
    let (Ok(mut known), Ok(redirect)) = (Url::parse(known), Url::parse(redirect)) else { return false };
    let loopback = match known.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        // A name may lead elsewhere (8.3 there).
        Some(Host::Domain(_)) | None => false,
    };
    loopback && known.scheme() == "http" && known.set_port(redirect.port()).is_ok() && known == redirect
}

/// The scopes asked for; unknown ones are an error.
pub(super) fn scopes(settings: &DevSettings, asked: Option<&str>) -> Result<BTreeSet<String>, OAuthError> {
    let scopes: BTreeSet<String> = asked.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
    let known = |scope: &String| {
        matches!(scope.as_str(), "openid" | "profile" | "email" | "offline_access") || settings.scopes.contains(scope)
    };
    if scopes.is_empty() || !scopes.iter().all(known) {
        return Err(OAuthError::new("invalid_scope", "no scope, or an unknown one"));
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(secret: Option<&str>) -> DevClient {
        let redirect_uris = ["http://127.0.0.1/callback", "http://localhost/callback", "https://127.0.0.1/tls"];
        DevClient {
            id: "app".to_owned(),
            secret: secret.map(Into::into),
            redirect_uris: redirect_uris.map(str::to_owned).to_vec(),
        }
    }

    #[test]
    fn a_public_client_may_listen_on_any_loopback_port() {
        for fits in ["http://127.0.0.1/callback", "http://127.0.0.1:3000/callback", "http://127.0.0.1:61234/callback"] {
            assert!(may_be_sent_to(&client(None), fits), "{fits}");
        }
    }

    #[test]
    fn nothing_else_of_a_redirect_uri_may_differ() {
        let others = [
            "http://127.0.0.1:3000/other",
            "http://127.0.0.1:3000/callback?a=b",
            "http://127.0.0.1:3000/callback#a",
            "http://somebody@127.0.0.1:3000/callback",
            "http://127.0.0.2:3000/callback",
            "http://localhost:3000/callback",
            "https://127.0.0.1:3000/callback",
            "https://127.0.0.1:3000/tls",
            "http://127.0.0.1.example.com:3000/callback",
            "not a url",
        ];
        for other in others {
            assert!(!may_be_sent_to(&client(None), other), "{other}");
        }
    }

    #[test]
    fn a_client_with_a_secret_is_at_its_own_address_alone() {
        let client = client(Some("a secret"));
        assert!(may_be_sent_to(&client, "http://127.0.0.1/callback"));
        assert!(!may_be_sent_to(&client, "http://127.0.0.1:3000/callback"));
    }
}
