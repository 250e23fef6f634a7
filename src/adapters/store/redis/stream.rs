//! The byte stream to a Redis server: TCP, or TLS over it.

use std::{fs, io, path::Path, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::Address;

/// Bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What a TLS connection trusts.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

/// Why no TLS connection can be made to anybody.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file of certificates can't be used.
    #[error("BEHALF_CA_FILE {0}: {1}")]
    File(String, String),
    /// There is no certificate at all.
    #[error("there are no trusted certificates: install ca-certificates or set BEHALF_CA_FILE")]
    Nothing,
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// The system's certificates, and those in `ca_file` (PEM).
    pub fn load(ca_file: Option<&Path>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            let bad = |why: String| TrustError::File(path.display().to_string(), why);
            let pem = fs::read(path).map_err(|error| bad(error.to_string()))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| bad(error.to_string()))?;
                roots.add(certificate).map_err(|error| bad(error.to_string()))?;
            }
        }
        if roots.is_empty() {
            return Err(TrustError::Nothing);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

/// Opens a stream, within that time.
pub(super) async fn open(address: &Address, tls: Option<&Trust>, within: Duration) -> io::Result<Box<dyn Stream>> {
    let opening = tokio::time::timeout(within, connect(address, tls)).await;
    opening.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time")))
}

async fn connect(address: &Address, tls: Option<&Trust>) -> io::Result<Box<dyn Stream>> {
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
    tcp.set_nodelay(true)?;
    let Some(Trust(config)) = tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
    let connector = TlsConnector::from(Arc::clone(config));
    Ok(Box::new(connector.connect(name, tcp).await?))
}
