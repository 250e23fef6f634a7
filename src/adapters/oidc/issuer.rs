//! The two documents that an issuer publishes: its description (OpenID Connect Discovery 1.0) and its keys.

use openidconnect::{IssuerUrl, core::CoreProviderMetadata};
use reqwest::{Client, StatusCode, header::ACCEPT};
use url::Url;

use super::jwks::KeySet;
use crate::{
    adapters::http_client::{ReadError, explain, read_bounded},
    domain::ids::Issuer,
};

/// Either document is a few KiB.
pub(super) const MAX_DOCUMENT: usize = 256 * 1024;

/// Why a document could not be had. The texts are for our log.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer from {0}: {1}")]
    NoAnswer(Url, String),
    #[error("no answer from {0} in time")]
    TimedOut(Url),
    #[error("{0} answers {1}")]
    Status(Url, StatusCode),
    #[error("{0} is not what it should be: {1}")]
    Document(Url, String),
}

/// An issuer, by its exact identifier.
pub(super) struct IssuerDocuments {
    issuer: Issuer,
    description: Url,
    http: Client,
}

impl IssuerDocuments {
    /// Asks nobody yet. The issuer must be an `http` or `https` URL without query and fragment.
    pub(super) fn new(issuer: Issuer, http: Client) -> Result<Self, String> {
        let url = IssuerUrl::new(issuer.as_str().to_owned()).map_err(|error| error.to_string())?;
        if !matches!(url.url().scheme(), "http" | "https") {
            return Err("it is neither http nor https".to_owned());
        }
        if url.url().query().is_some() || url.url().fragment().is_some() {
            return Err("it has a query or a fragment".to_owned());
        }
        let description = url.join(".well-known/openid-configuration").map_err(|error| error.to_string())?;
        Ok(Self { issuer, description, http })
    }

    /// Where the keys are. The description must name exactly our issuer (Discovery 4.3), and keys of an `https` issuer
    /// are fetched over `https`.
    pub(super) async fn discover(&self) -> Result<Url, FetchError> {
        let wrong = |why: String| FetchError::Document(self.description.clone(), why);
        let body = self.get(&self.description).await?;
        let metadata: CoreProviderMetadata = serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))?;
        if metadata.issuer().as_str() != self.issuer.as_str() {
            return Err(wrong(format!("it describes another issuer, {:?}", metadata.issuer().as_str())));
        }
        let keys = metadata.jwks_uri().url().clone();
        let allowed = keys.scheme() == "https" || (keys.scheme() == "http" && self.description.scheme() == "http");
        if allowed { Ok(keys) } else { Err(wrong(format!("its jwks_uri is of scheme {:?}", keys.scheme()))) }
    }

    /// The keys.
    pub(super) async fn keys(&self, at: &Url) -> Result<KeySet, FetchError> {
        let body = self.get(at).await?;
        KeySet::parse(&body).map_err(|error| FetchError::Document(at.clone(), error.to_string()))
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let request = self.http.get(url.clone()).header(ACCEPT, "application/json");
        let response = request.send().await.map_err(|error| no_answer(url, error))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(url.clone(), response.status()));
        }
        read_bounded(response, MAX_DOCUMENT).await.map_err(|error| match error {
            ReadError::Broken(error) => no_answer(url, error),
            ReadError::TooLong(_) => FetchError::Document(url.clone(), error.to_string()),
        })
    }
}

fn no_answer(url: &Url, error: reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::TimedOut(url.clone());
    }
    FetchError::NoAnswer(url.clone(), explain(&error.without_url()))
}
