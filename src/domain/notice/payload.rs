//! What a webhook is sent: ids and a link. Never a secret, never words of a caller, nothing that decides.

use serde_json::{Value, json};

use super::{Notification, Who};
use crate::domain::ids::TenantName;

/// The payload, in the form that Standard Webhooks recommends. The same bytes at every try.
pub fn payload(tenant: &TenantName, notification: &Notification, base: &str) -> String {
    let facts = &notification.facts;
    let concerns: Vec<Value> = facts
        .concerns
        .iter()
        .map(|concern| match &concern.who {
            Who::User(id) => json!({"role": concern.role, "user": id}),
            Who::Group(id) => json!({"role": concern.role, "group": id}),
        })
        .collect();
    let actor = json!({"type": facts.actor.kind, "id": facts.actor.id});
    let subject = facts.subject.as_ref().map(|subject| json!({"type": subject.kind, "id": subject.id}));
    json!({
        "type": facts.kind,
        "timestamp": facts.time,
        "data": {
            "tenant": tenant,
            "event": facts.event,
            "code": facts.code,
            "seq": facts.seq,
            "severity": facts.severity,
            "actor": actor,
            "on_behalf_of": facts.on_behalf_of.as_ref().map(|who| &who.id),
            "client": facts.client,
            "subject": subject,
            "concerns": concerns,
            "link": facts.link(base),
        },
    })
    .to_string()
}
