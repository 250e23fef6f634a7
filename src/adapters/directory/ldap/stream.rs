//! The bytes to and from a server: TCP, or TLS over it at once or after `StartTLS`.
//!
//! The library reads from a socket of this process, whose other end is here, so that it sees nothing but what the
//! [`guard`] lets through.

use std::{fs, io, path::Path, sync::Arc};

use ldap3::{LdapConnAsync, LdapConnSettings, StdStream};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

use super::{
    guard,
    settings::{Security, Server},
};

/// `StartTLS` (RFC 4511, 4.14.1), as message 1.
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What TLS connections trust.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// The system's certificates, and those in `ca_file` (PEM). With none at all TLS connections fail, each saying why.
    pub fn load(ca_file: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            let bad = |why: &dyn std::fmt::Display| format!("BEHALF_CA_FILE {}: {why}", path.display());
            let pem = fs::read(path).map_err(|error| bad(&error))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| bad(&error))?;
                roots.add(certificate).map_err(|error| bad(&error))?;
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS can't be set up: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

/// A connection of the library to `server`, nobody signed in yet.
pub(super) async fn open(server: &Server, trust: &Trust) -> io::Result<(LdapConnAsync, ldap3::Ldap)> {
    let stream = connect(server, trust).await?;
    let (ours, theirs) = UnixStream::pair()?;
    tokio::spawn(carry(stream, ours));
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs.into_std()?));
    LdapConnAsync::with_settings(settings, "ldapi:///").await.map_err(io::Error::other)
}

async fn connect(server: &Server, trust: &Trust) -> io::Result<Box<dyn Stream>> {
    let mut tcp = TcpStream::connect((server.host.as_str(), server.port)).await?;
    tcp.set_nodelay(true)?;
    match server.security {
        Security::Clear => return Ok(Box::new(tcp)),
        Security::Tls => {}
        Security::StartTls => {
            tcp.write_all(START_TLS).await?;
            let answer = guard::message(&mut tcp).await?;
            if guard::extended_result(&answer, 1) != Some(0) {
                return Err(io::Error::other("it refuses StartTLS; use ldaps:// if it has a port for that"));
            }
        }
    }
    let name = ServerName::try_from(server.host.clone()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(Arc::clone(&trust.0)).connect(name, tcp).await?))
}

/// Until either side ends it, or the server sends what is no message.
async fn carry(server: Box<dyn Stream>, ours: UnixStream) {
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let (mut from_us, mut to_us) = ours.into_split();
    let answers = async {
        loop {
            to_us.write_all(&guard::message(&mut from_server).await?).await?;
        }
    };
    let ended: io::Result<()> = tokio::select! {
        ended = answers => ended,
        ended = tokio::io::copy(&mut from_us, &mut to_server) => ended.map(drop),
    };
    if let Err(error) = ended
        && error.kind() == io::ErrorKind::InvalidData
    {
        tracing::warn!(%error, "the connection to the LDAP server is closed");
    }
    // TLS says goodbye; who doesn't listen any more needn't.
    drop(to_server.shutdown().await);
}
