//! The only outbound HTTP client. Whoever calls another machine takes a clone of this one.

use std::{error::Error, fs, io, path::Path, path::PathBuf, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, Response, redirect::Policy};

/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a whole call may take, its body included. A caller with less time sets less on its request.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum HttpClientError {
    /// The CA file can't be read.
    #[error("the CA file {path} can't be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The CA file isn't PEM, or has no certificate in it.
    #[error("the CA file {0} has no certificate in PEM form")]
    NoCertificate(PathBuf),
    /// The CA file has a certificate that is none.
    #[error("the CA file {path} has a certificate that can't be used")]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// What the TLS library says.
        #[source]
        source: reqwest::Error,
    },
    /// The client can't be built.
    #[error("the HTTP client can't be built")]
    Build(#[source] reqwest::Error),
}

/// Builds the client: rustls, at most [`TOTAL_TIMEOUT`] a call, no redirects (a redirect would carry a secret to where
/// nobody configured it).
///
/// It trusts the system's certificates (or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name) plus those of `ca_file`,
/// which is PEM with one certificate or many. A system without any is no error, because plain HTTP needs none; it is
/// said in the log, and TLS calls fail.
///
/// It never uses a proxy: `HTTP_PROXY` and its siblings are ignored, so that a variable in somebody's shell can't send
/// bearer secrets somewhere else.
pub fn build(ca_file: Option<&Path>) -> Result<Client, HttpClientError> {
    build_with(ca_file, |builder| builder)
}

/// The same, for one that has something of its own, such as who resolves names.
pub fn build_with(
    ca_file: Option<&Path>,
    own: impl Fn(ClientBuilder) -> ClientBuilder,
) -> Result<Client, HttpClientError> {
    let builder = || own(builder());
    let Some(path) = ca_file else { return build_without_extra(builder) };
    let extra = certificates(path)?;
    builder()
        .tls_certs_merge(extra)
        .build()
        .map_err(|source| HttpClientError::BadCertificate { path: path.to_owned(), source })
}

fn build_without_extra(builder: impl Fn() -> ClientBuilder) -> Result<Client, HttpClientError> {
    builder().build().or_else(|error| {
        // Without extra certificates only an empty system store can fail.
        tracing::warn!(
            error = explain(&error),
            "no trusted certificates: install ca-certificates or set BEHALF_CA_FILE; outbound TLS fails until then"
        );
        builder().tls_certs_only([]).build().map_err(HttpClientError::Build)
    })
}

#[expect(clippy::disallowed_methods, reason = "the one place that builds a client")]
fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("behalf/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, HttpClientError> {
    let pem = fs::read(path).map_err(|source| HttpClientError::Unreadable { path: path.to_owned(), source })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(HttpClientError::NoCertificate(path.to_owned())),
    }
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Longer than the bound (in bytes).
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The connection broke, or the time was up.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
}

/// Reads a body of at most `max_bytes`; never holds more than that and one chunk of the connection.
pub async fn read_bounded(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, ReadError> {
    let too_long = |length: u64| usize::try_from(length).map_or(true, |length| length > max_bytes);
    if response.content_length().is_some_and(too_long) {
        return Err(ReadError::TooLong(max_bytes));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ReadError::Broken)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(ReadError::TooLong(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with its causes, for the log: the outermost of reqwest's errors alone says little.
pub fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed CA certificate made for this test; its key is thrown away.
    const CA: &str = include_str!("http_client/test-ca.pem");

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_file_with_one_certificate_or_many_is_taken() {
        assert_eq!(certificates(file(CA).path()).unwrap().len(), 1);
        assert_eq!(certificates(file(&format!("# ours\n{CA}\n{CA}")).path()).unwrap().len(), 2);
        assert!(build(Some(file(CA).path())).is_ok());
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let cut = &CA[..CA.len() / 2];
        for text in ["", "not PEM", cut, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            let file = file(text);
            let error = build(Some(file.path())).unwrap_err();
            assert!(matches!(error, HttpClientError::NoCertificate(_)), "{text}: {error}");
            assert!(error.to_string().contains(file.path().to_str().unwrap()));
        }
        let bytes = file("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
        assert!(matches!(build(Some(bytes.path())), Err(HttpClientError::BadCertificate { .. })));
        let gone = build(Some(Path::new("/nowhere/ca.pem"))).unwrap_err();
        assert!(gone.to_string().contains("/nowhere/ca.pem"));
    }
}
