//! A SCIM 2.0 service as directory.

use secrecy::SecretString;
use url::Url;

use crate::config::{
    mistakes::{Fault, Read, fault},
    parse,
    reader::Reader,
    settings,
};

/// A SCIM 2.0 service. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct ScimSettings {
    /// The address below which `/Users` lies.
    pub url: Url,
    /// Bearer token.
    pub token: SecretString,
    /// URN of the schema that grants are in.
    pub extension: String,
    /// The attribute within it: `name` for texts, `name.value` for objects.
    pub attribute: String,
}

pub(super) fn scim(r: &mut Reader<'_>) -> Read<ScimSettings> {
    let development = r.sources.development;
    let url = r.value(&settings::SCIM_URL, |text| service(text, development));
    let token = r.secret(&settings::SCIM_TOKEN).and_then(|token| {
        token.ok_or_else(|| {
            r.wrong(&settings::SCIM_TOKEN, fault("is missing", "give it, or its file by BEHALF_SCIM_TOKEN_FILE"))
        })
    });
    let extension = r.value(&settings::SCIM_EXTENSION, urn);
    let attribute = r.value(&settings::SCIM_ATTRIBUTE, attribute);
    Ok(ScimSettings { url: url?, token: token?, extension: extension?, attribute: attribute? })
}

fn service(text: &str, development: bool) -> Result<Url, Fault> {
    let remedy = "give the https URL below which /Users lies, such as `https://id.example.com/scim/v2`";
    // Never the value itself where it may hold a password.
    parse::web_url(text, development, "the token sent", fault("is no URL of a SCIM service", remedy))
}

/// RFC 8141, as far as it can stand before an attribute in a SCIM path.
fn urn(text: &str) -> Result<String, Fault> {
    let parts: Vec<&str> = text.split(':').collect();
    let fits = |part: &&str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if text.len() > 256 || parts.len() < 3 || !parts[0].eq_ignore_ascii_case("urn") || !parts.iter().all(fits) {
        let remedy = "give one like `urn:example:params:scim:schemas:extension:delegation:2.0:User`";
        return Err(fault(format!("`{text}` is no URN of a schema"), remedy));
    }
    Ok(text.to_owned())
}

fn attribute(text: &str) -> Result<String, Fault> {
    let name = text.strip_suffix(".value").unwrap_or(text);
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if name.len() > 128 || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.bytes().all(fits) {
        let remedy = "give `name` if its values are texts, `name.value` if they are objects with the text in `value`";
        return Err(fault(format!("`{text}` is no attribute"), remedy));
    }
    Ok(text.to_owned())
}
