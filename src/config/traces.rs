//! Where traces go. The variables are those that OpenTelemetry gives them.

use std::fmt;

use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    mistakes::{Fault, Read, fault},
    parse,
    reader::Reader,
    settings,
};

/// How traces are exported.
#[derive(Clone)]
pub struct TraceSettings {
    /// Where spans are posted to.
    pub endpoint: Url,
    /// What the collector wants to see.
    pub headers: Vec<(HeaderName, SecretString)>,
    /// `service.name`.
    pub service_name: String,
    /// The part of all traces that is exported.
    pub ratio: f64,
}

impl fmt::Debug for TraceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("TraceSettings")
            .field("endpoint", &self.endpoint.as_str())
            .field("headers", &headers)
            .field("service_name", &self.service_name)
            .field("ratio", &self.ratio)
            .finish()
    }
}

/// `None`: no traces.
pub(super) fn traces(r: &mut Reader<'_>) -> Read<Option<TraceSettings>> {
    let endpoint = r.optional(&settings::TRACES_ENDPOINT, endpoint);
    let headers = r.secret(&settings::TRACES_HEADERS);
    let service_name = r.value(&settings::TRACES_SERVICE, parse::text);
    let ratio = r.value(&settings::TRACES_RATIO, ratio);
    let headers = headers?.map(|text| headers_of(&text)).transpose();
    let headers = headers.map_err(|fault| r.wrong(&settings::TRACES_HEADERS, fault))?.unwrap_or_default();
    let (endpoint, service_name, ratio) = (endpoint?, service_name?, ratio?);
    Ok(endpoint.map(|endpoint| TraceSettings { endpoint, headers, service_name, ratio }))
}

/// The base of all signals; traces have their path below it.
fn endpoint(text: &str) -> Result<Url, Fault> {
    let remedy = "give one such as `http://collector:4318`";
    let url = Url::parse(text).map_err(|error| fault(format!("is no URL ({error})"), remedy))?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || !is_plain || url.password().is_some() {
        return Err(fault("is no plain http or https URL", remedy));
    }
    let below = format!("{}/v1/traces", text.trim_end_matches('/'));
    Url::parse(&below).map_err(|error| fault(format!("is no URL ({error})"), remedy))
}

/// `name=value,name=value`, the values percent-encoded.
fn headers_of(text: &SecretString) -> Result<Vec<(HeaderName, SecretString)>, Fault> {
    let wrong = || fault("is no list of headers", "write `name=value`, several with commas between");
    let pairs = text.expose_secret().split(',').filter(|pair| !pair.trim().is_empty());
    let read = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned();
        HeaderValue::try_from(&value).ok()?;
        Some((HeaderName::try_from(name.trim()).ok()?, SecretString::from(value)))
    };
    pairs.map(|pair| read(pair).ok_or_else(wrong)).collect()
}

fn ratio(text: &str) -> Result<f64, Fault> {
    let found = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    found.ok_or_else(|| fault(format!("`{text}` is no part of 1"), "give a number from 0 to 1, such as `0.1`"))
}
