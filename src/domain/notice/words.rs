//! What an e-mail says: our words. What came from callers and directories is marked as that, and cleaned.

use super::{Notification, topic_of};
use crate::domain::{
    audit::Actor,
    ids::{TenantName, is_deceptive},
};

/// Letters of a foreign text that are shown.
const MOST: usize = 120;

/// A foreign text, fit to stand in a line of ours: no control or bidirectional characters, short, and nothing in it
/// that mail programs make a link of.
pub fn clean(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let shown: String = plain.chars().filter(|c| !is_deceptive(*c)).take(MOST).collect();
    shown.replace("://", ":\u{2044}\u{2044}").replace("www.", "www·").replace("WWW.", "WWW·")
}

/// Subject and text.
pub fn mail(tenant: &TenantName, notification: &Notification, base: &str) -> (String, String) {
    let facts = &notification.facts;
    let words = topic_of(&facts.kind).map_or("Something happened that concerns you", |topic| topic.words);
    let mut lines = vec![format!("{words}."), String::new()];
    lines.push(format!("When:    {}", facts.time.strftime("%Y-%m-%d %H:%M:%S UTC")));
    lines.push(format!("What:    {} ({})", facts.kind, facts.code));
    lines.push(format!("Event:   {}", facts.event.as_str()));
    if let Some(subject) = &facts.subject {
        lines.push(format!("About:   {} {}", subject.kind, clean(&subject.id)));
    }
    lines.push(format!("Tenant:  {tenant}"));
    lines.push(String::new());
    lines.push("As the directory and the identity provider have it, not in our words:".to_owned());
    lines.push(format!("  done by:      {}", person(&facts.actor)));
    if let Some(who) = &facts.on_behalf_of {
        lines.push(format!("  on behalf of: {}", person(who)));
    }
    if let Some(client) = &facts.client {
        lines.push(format!("  through:      \"{}\"", clean(client)));
    }
    lines.extend([
        String::new(),
        format!("Look it up: {}", facts.link(base)),
        String::new(),
        "This message decides nothing, and no answer to it is read. Whoever asks you for a password or a code because"
            .to_owned(),
        "of it is not us.".to_owned(),
        String::new(),
    ]);
    (format!("[behalf] {words}"), lines.join("\r\n"))
}

fn person(who: &Actor) -> String {
    match &who.login {
        Some(login) => format!("\"{}\" (id \"{}\")", clean(login), clean(&who.id)),
        None => format!("id \"{}\"", clean(&who.id)),
    }
}
