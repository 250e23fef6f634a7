//! E-mail over SMTP (RFC 5321), with TLS unless the server is on this machine.

use std::{fs, io, path::Path, time::Duration};

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use tokio::time::timeout;

use crate::ports::notifier::{Failure, Mail, Mailer};

/// How long one step of the exchange may take.
const STEP: Duration = Duration::from_secs(10);
/// How long all of it may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Answers that are about the address itself (RFC 5321, 4.2.3). All others may be different tomorrow, such as those
/// about our credentials.
const ABOUT_THE_ADDRESS: &[u16] = &[550, 551, 553];

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// With the connection.
    Implicit,
    /// By STARTTLS, before anything is said.
    StartTls,
    /// Never.
    None,
}

/// The mail server.
pub struct Settings<'a> {
    /// Its name, which its certificate must have.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
    /// User and password, if it wants them.
    pub credentials: Option<(String, String)>,
    /// Whom messages are from.
    pub from: Mailbox,
    /// Certificates to trust besides the system's, PEM.
    pub ca_file: Option<&'a Path>,
}

/// Why there is no mailer.
#[derive(Debug, thiserror::Error)]
pub enum EmailError {
    /// The CA file can't be read.
    #[error("the CA file can't be read")]
    CaFile(#[from] io::Error),
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] lettre::transport::smtp::Error),
}

/// Sends through one server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// Asks nobody yet.
    pub fn new(settings: Settings<'_>) -> Result<Self, EmailError> {
        let tls = match settings.security {
            Security::None => Tls::None,
            Security::Implicit => Tls::Wrapper(parameters(&settings)?),
            Security::StartTls => Tls::Required(parameters(&settings)?),
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(STEP));
        let builder = match settings.credentials {
            Some((user, password)) => builder.credentials(Credentials::new(user, password)),
            None => builder,
        };
        Ok(Self { transport: builder.build(), from: settings.from })
    }

    fn message(&self, mail: Mail<'_>) -> Result<Message, Failure> {
        let to: Address = mail.to.parse().map_err(|_| Failure::lasting("bad-address"))?;
        let id = format!("<{}@{}>", mail.id, self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .date(mail.at.into())
            .message_id(Some(id))
            .raw_header(automatic())
            .subject(mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text.to_owned())
            .map_err(|_| Failure::lasting("bad-message"))
    }
}

/// No answer is wanted, least of all from a machine (RFC 3834).
fn automatic() -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned())
}

fn parameters(settings: &Settings<'_>) -> Result<TlsParameters, EmailError> {
    let mut builder = TlsParameters::builder(settings.host.to_owned());
    if let Some(path) = settings.ca_file {
        builder = builder.add_root_certificate(Certificate::from_pem(&fs::read(path)?)?);
    }
    Ok(builder.build()?)
}

#[async_trait]
impl Mailer for Smtp {
    async fn mail(&self, mail: Mail<'_>) -> Result<(), Failure> {
        let message = self.message(mail)?;
        match timeout(TIMEOUT, self.transport.send(message)).await {
            Err(_) => Err(Failure::passing("timed-out")),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(judge(&error)),
        }
    }
}

/// As a code: what the server says besides may name people.
fn judge(error: &lettre::transport::smtp::Error) -> Failure {
    if let Some(code) = error.status() {
        let code = u16::from(code);
        let why = format!("smtp-{code}");
        return if ABOUT_THE_ADDRESS.contains(&code) { Failure::lasting(why) } else { Failure::passing(why) };
    }
    Failure::passing(match error {
        error if error.is_timeout() => "timed-out",
        error if error.is_tls() => "no-tls",
        error if error.is_client() => "not-understood",
        _ => "no-connection",
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn smtp() -> Smtp {
        let settings = Settings {
            host: "127.0.0.1",
            port: 25,
            security: Security::None,
            credentials: None,
            from: "behalf <noreply@example.test>".parse().unwrap(),
            ca_file: None,
        };
        Smtp::new(settings).unwrap()
    }

    fn mail<'a>(to: &'a str, subject: &'a str) -> Mail<'a> {
        Mail { id: "ntf_x", at: Timestamp::UNIX_EPOCH, to, subject, text: "Text.\r\n" }
    }

    #[tokio::test]
    async fn no_header_can_be_put_in() {
        let smtp = smtp();
        for to in [
            "ann@example.test\r\nBcc: eve@example.test",
            "ann@example.test, eve@example.test",
            "ann",
            "",
            "a b@x.test",
            "ann@example.test\0",
            "<ann@example.test>\n",
        ] {
            assert_eq!(smtp.message(mail(to, "x")).unwrap_err(), Failure::lasting("bad-address"), "{to:?}");
        }
        let message = smtp.message(mail("ann@example.test", "Hello\r\nBcc: eve@example.test\r\n\r\nBody")).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let bcc = head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc:"));
        assert!(!bcc && text.matches("\r\n\r\n").count() == 1, "{text}");
        assert!(head.contains("Message-ID: <ntf_x@example.test>") && head.contains("Auto-Submitted: auto-generated"));
    }
}
