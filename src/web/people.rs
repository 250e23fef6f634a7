//! Users as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::state::Door;
use crate::ports::shown::ShownUser;

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "00u1bob", "login": "bob@example.com", "display_name": "Bob Builder (bob@example.com)"}))]
pub struct Person {
    /// The directory's immutable id.
    pub id: String,
    /// Login name.
    pub login: String,
    /// For people.
    pub display_name: String,
}

impl Person {
    /// The user as this tenant shows him.
    pub fn of(user: &ShownUser, door: &Door) -> Self {
        Self { id: user.id.to_string(), login: user.login.to_string(), display_name: display_name(user, door) }
    }
}

/// `firstName lastName (email)` for delegatable users, `entityName entityId` for entities, else the login; the same
/// as Okta Managed Access shows. Parts that are missing are left out.
pub fn display_name(user: &ShownUser, door: &Door) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let user_type = user.user_type.as_ref();
    let shown = if user_type.is_some() && user_type == door.entity_type.as_ref() {
        format!("{} {}", text(&user.entity_name), text(&user.entity_id))
    } else if user_type == door.tenant.policy.now().delegatable_type.as_ref() {
        let email = user.email.as_ref().map(|email| format!("({email})")).unwrap_or_default();
        format!("{} {} {email}", text(&user.first_name), text(&user.last_name))
    } else {
        String::new()
    };
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    if shown.is_empty() { user.login.to_string() } else { shown }
}
