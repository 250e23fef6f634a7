//! Who is in a group, as the group's own resource shows (RFC 7643, 4.2). Groups within it are not followed.

use serde_json::{Map, Value};

use super::{
    Scim,
    list::{Page, garbled, id_of},
    service::Reply,
};
use crate::{
    domain::ids::{GroupId, UserId},
    ports::directory::{DirectoryError, Members},
};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

impl Scim {
    pub(super) async fn members(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
        let raw: Map<String, Value> =
            match self.service.get(&["Groups", group.as_str()], &[("attributes", "members")]).await? {
                Reply::Done(answer) => answer.json()?,
                Reply::Refused(refusal) if refusal.status.as_u16() == 404 => {
                    return self.no_group().await.map(|()| None);
                }
                Reply::Refused(refusal) => return Err(refusal.rejected("it does not give the group")),
            };
        let id = id_of(&raw)?;
        if id != group.as_str() {
            // Some compare loosely: nobody has exactly this one.
            let same = id.to_lowercase() == group.as_str().to_lowercase();
            return if same { Ok(None) } else { Err(garbled("another group than the one asked for")) };
        }
        match raw.get("members") {
            None | Some(Value::Null) => self.shows_members().await.map(|()| Some(Members::default())),
            Some(Value::Array(members)) => {
                let users = members.iter().filter(|member| !is_group(member)).map(user_id);
                Ok(Some(Members::first(limit, users.collect::<Result<Vec<_>, _>>()?)))
            }
            Some(_) => Err(garbled("a group whose members are no list")),
        }
    }

    /// A 404 for a group says that it isn't there only if groups are served at all.
    async fn no_group(&self) -> Result<(), DirectoryError> {
        match self.service.get(&["Groups"], &[("attributes", "id"), ("startIndex", "1"), ("count", "1")]).await? {
            Reply::Done(answer) => Page::read(&answer).map(|_| ()),
            Reply::Refused(refusal) => Err(refusal.rejected("it has no Groups")),
        }
    }

    /// A group without members shows none, and so does every group of a server that never shows any.
    async fn shows_members(&self) -> Result<(), DirectoryError> {
        let schema: Value = match self.service.get(&["Schemas", GROUP], &[]).await? {
            Reply::Done(answer) => answer.json()?,
            Reply::Refused(refusal) => {
                return Err(refusal.rejected("a group shows no members, and no schema says that it would"));
            }
        };
        let attributes = schema["attributes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let members = attributes.iter().find(|attribute| attribute["name"] == "members");
        match members.and_then(|members| members["returned"].as_str()) {
            Some("always" | "default" | "request") => Ok(()),
            _ => Err(DirectoryError::Rejected("groups don't show who is in them, says their schema".to_owned())),
        }
    }
}

fn is_group(member: &Value) -> bool {
    let text = |name: &str| member.get(name).and_then(Value::as_str);
    match text("type") {
        Some(kind) => kind.eq_ignore_ascii_case("Group"),
        None => text("$ref").is_some_and(|at| at.rsplit('/').nth(1) == Some("Groups")),
    }
}

fn user_id(member: &Value) -> Result<UserId, DirectoryError> {
    let id = member.get("value").and_then(Value::as_str).and_then(|id| UserId::parse(id).ok());
    id.ok_or_else(|| garbled("a group with a member without a usable id"))
}
