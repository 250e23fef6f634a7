//! E-mail.

use std::collections::BTreeSet;

use lettre::message::Mailbox;
use secrecy::SecretString;
use url::Url;

use super::{Place, bare_url, events, secret_file};
use crate::config::{
    mistakes::{Fault, Read, fault},
    parse,
    table::Table,
};

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailSecurity {
    /// With the connection (`smtps://`).
    Implicit,
    /// By STARTTLS, always (`smtp://`).
    StartTls,
    /// Never; only on this machine.
    None,
}

/// The mail server. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct EmailSettings {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: EmailSecurity,
    /// User and password, if it wants them.
    pub credentials: Option<(String, SecretString)>,
    /// Whom messages are from.
    pub from: Mailbox,
    /// The directory's attribute with a user's address.
    pub attribute: String,
    /// Types of events that people are told of.
    pub events: BTreeSet<String>,
}

/// Where the server is, before `tls` says how it is spoken to.
struct Server {
    url: Url,
    host: String,
}

pub(super) fn email(mut table: Table<'_, '_>, place: &Place<'_>) -> Read<EmailSettings> {
    let smtp = table.text("smtp", server);
    let smtp = table.required("smtp", smtp);
    let tls = table.text("tls", parse::choice(&[("starttls", "starttls"), ("implicit", "implicit"), ("none", "none")]));
    let from = table.text("from", mailbox);
    let from = table.required("from", from);
    let user = table.text("username", parse::text);
    let password = secret_file(&mut table, "password_file", place);
    let attribute = table.text("attribute", parse::word).map(|name| name.unwrap_or_else(|| "email".to_owned()));
    let events = events(&mut table);
    let security = match (&smtp, tls) {
        (Ok(server), Ok(tls)) => security(&mut table, server, tls),
        (Err(recorded), _) => Err(*recorded),
        (_, Err(recorded)) => Err(recorded),
    };
    let credentials = match (user?, password?) {
        (Some(user), Some(password)) => Some((user, SecretString::from(password))),
        (None, None) => None,
        (Some(_), None) => {
            return Err(table.wrong("password_file", fault("is missing beside the user's name", "give both or none")));
        }
        (None, Some(_)) => {
            return Err(table.wrong("username", fault("is missing beside the password", "give both or none")));
        }
    };
    table.finish()?;
    let (server, security) = (smtp?, security?);
    let standard = if security == EmailSecurity::Implicit { 465 } else { 587 };
    Ok(EmailSettings {
        port: server.url.port().unwrap_or(standard),
        host: server.host,
        security,
        credentials,
        from: from?,
        attribute: attribute?,
        events: events?,
    })
}

fn server(text: &str) -> Result<Server, Fault> {
    let remedy = "give `smtp://host[:587]` for STARTTLS, or `smtps://host[:465]`";
    let no_server = || fault("is no address of a mail server", remedy);
    let url = bare_url(text).filter(|url| matches!(url.scheme(), "smtp" | "smtps") && matches!(url.path(), "" | "/"));
    let url = url.ok_or_else(no_server)?;
    let host = url.host_str().ok_or_else(no_server)?.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Server { url, host })
}

fn security(table: &mut Table<'_, '_>, server: &Server, tls: Option<&str>) -> Read<EmailSecurity> {
    let implicit = server.url.scheme() == "smtps";
    match tls {
        None | Some("implicit") if implicit => Ok(EmailSecurity::Implicit),
        None | Some("starttls") if !implicit => Ok(EmailSecurity::StartTls),
        Some("none") if !implicit && is_here(&server.host) => Ok(EmailSecurity::None),
        Some("none") => {
            let remedy = "leave it out; without TLS only `smtp://` on this machine is spoken to";
            Err(table.wrong("tls", fault("would have messages sent in the clear", remedy)))
        }
        _ => {
            let remedy = "`smtp://` begins with STARTTLS, `smtps://` with TLS: leave `tls` out";
            Err(table.wrong("tls", fault("doesn't fit the address", remedy)))
        }
    }
}

/// A scheme that URLs don't know leaves addresses as text.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn mailbox(text: &str) -> Result<Mailbox, Fault> {
    let plain = parse::text(text)?;
    plain.parse().map_err(|_| fault("is no address", "give one such as `behalf <noreply@example.com>`"))
}
