//! PyPI's aiosmtpd as a process of its own, which also holds webhooks against the reference library.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use super::{
    peers::installed,
    ports,
    process::{Process, until},
};

/// Certificate, key and authority for 127.0.0.1.
pub(crate) const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/oidc/tls");
pub(crate) const USER: &str = "behalf";
pub(crate) const PASSWORD: &str = "the-password-of-the-mail-tests";

/// A running mail server. It ends with the test process, or when it is dropped.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    process: Process,
}

impl MailServer {
    /// `tls` is `none`, `starttls` or `implicit`. `None` where it isn't there; that was said.
    pub(crate) async fn start(tls: &str) -> Option<Self> {
        Self::start_with(tls, json!({})).await
    }

    /// With other settings of the script, such as who may send.
    pub(crate) async fn start_with(tls: &str, more: Value) -> Option<Self> {
        let peer = installed("aiosmtpd", "PyPI's aiosmtpd")?;
        let port = ports::free();
        let (cert, key) = (format!("{TLS}/server.pem"), format!("{TLS}/server.key"));
        let mut settings = json!({"port": port, "tls": tls, "cert": cert, "key": key});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/mail/start_smtp.py");
        let mut command = Command::new(peer.join("python"));
        command.env_clear().env("PYTHONPATH", peer.join("packages")).env("PYTHONUNBUFFERED", "1");
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg(settings.to_string());
        let mut process = Process::start(&mut command);
        process.line("the mail server", |line| line.starts_with("Serving SMTP").then_some(())).await;
        Some(Self { port, process })
    }

    /// The messages that it took so far.
    pub(crate) fn taken(&self) -> Vec<Value> {
        self.said("data")
    }

    /// Whether the reference library takes this webhook.
    pub(crate) async fn verifies(&mut self, secret: &str, headers: &Value, body: &str) -> bool {
        let before = self.said("verified").len();
        self.process.tell(&json!({"secret": secret, "headers": headers, "body": body}));
        let answer = until("the reference library's word", async || self.said("verified").get(before).cloned()).await;
        answer["verified"] == true
    }

    fn said(&self, what: &str) -> Vec<Value> {
        let lines = self.process.out();
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.get(what).is_some()).collect()
    }
}
