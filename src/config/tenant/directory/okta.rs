//! The Okta directory.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use crate::config::{
    mistakes::{Fault, Read, fault},
    parse,
    reader::Reader,
    settings,
};

/// An Okta organisation, and how to sign in there.
#[derive(Debug, Clone)]
pub struct OktaSettings {
    /// Its origin, ending with a slash.
    pub url: Url,
    /// How to sign in.
    pub credentials: OktaCredentials,
}

/// How to sign in.
#[derive(Debug, Clone)]
pub enum OktaCredentials {
    /// With an API token.
    Token(SecretString),
    /// As a service app.
    App {
        /// Its client id.
        client_id: String,
        /// Where its private key is.
        key_file: PathBuf,
        /// The key's `kid`.
        key_id: Option<String>,
    },
}

pub(in crate::config) fn okta(r: &mut Reader<'_>) -> Read<OktaSettings> {
    let url = r.value(&settings::OKTA_URL, organisation(r.sources.development));
    let credentials = credentials(r);
    Ok(OktaSettings { url: url?, credentials: credentials? })
}

fn credentials(r: &mut Reader<'_>) -> Read<OktaCredentials> {
    let token = r.secret(&settings::OKTA_TOKEN);
    let client_id = r.optional(&settings::OKTA_CLIENT_ID, parse::word);
    let key_file = r.existing_file(&settings::OKTA_KEY_FILE);
    let key_id = r.optional(&settings::OKTA_KEY_ID, parse::word);
    match (token?, client_id?, key_file?, key_id?) {
        (Some(token), None, None, None) => Ok(OktaCredentials::Token(token)),
        (None, Some(client_id), Some(key_file), key_id) => Ok(OktaCredentials::App { client_id, key_file, key_id }),
        (Some(_), ..) => {
            let what =
                "is given besides a service app (BEHALF_OKTA_CLIENT_ID, BEHALF_OKTA_KEY_FILE, BEHALF_OKTA_KEY_ID)";
            Err(r.wrong(&settings::OKTA_TOKEN, fault(what, "keep one of the two ways to sign in")))
        }
        (None, Some(_), None, _) => Err(r.wrong(&settings::OKTA_KEY_FILE, fault("is missing", "name the app's key"))),
        (None, None, None, None) => {
            let remedy = "give an API token, or a service app by BEHALF_OKTA_CLIENT_ID and BEHALF_OKTA_KEY_FILE";
            Err(r.wrong(&settings::OKTA_TOKEN, fault("is missing", remedy)))
        }
        (None, None, ..) => Err(r.wrong(&settings::OKTA_CLIENT_ID, fault("is missing", "give the app's client id"))),
    }
}

/// An organisation's origin, with or without its scheme, with or without a slash. The API isn't where administrators
/// sign in.
fn organisation(development: bool) -> impl Fn(&str) -> Result<Url, Fault> {
    move |value| {
        let no_org = || fault(format!("`{value}` is no Okta organisation"), "write it like `https://example.okta.com`");
        let whole = if value.contains("://") { value.to_owned() } else { format!("https://{value}") };
        let url = parse::web_url(&whole, development, "the token sent", no_org())?;
        if url.path() != "/" {
            return Err(no_org());
        }
        if let Some((name, domain)) = url.host_str().unwrap_or_default().split_once("-admin.okta") {
            let remedy = format!("write `https://{name}.okta{domain}`");
            return Err(fault(format!("`{value}` is where administrators sign in, not the API"), remedy));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_has_many_spellings() {
        for good in ["https://old.okta.com", "https://old.okta.com/", "old.okta.com", "old.okta.com/", "OLD.okta.com"] {
            assert_eq!(organisation(false)(good).unwrap().as_str(), "https://old.okta.com/", "{good}");
        }
        assert_eq!(organisation(false)("http://127.0.0.1:80/").unwrap().as_str(), "http://127.0.0.1/");
        assert!(organisation(true)("http://okta.test").is_ok());
        for bad in [
            "",
            "http://old.okta.com",
            "ftp://old.okta.com",
            "https://old.okta.com/api",
            "https://old.okta.com/?x",
            "https://a:b@old.okta.com",
            "https://old-admin.okta.com",
            "old okta",
        ] {
            assert!(organisation(false)(bad).is_err(), "{bad}");
        }
    }
}
