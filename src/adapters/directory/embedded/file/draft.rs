//! One entry of the file, read as far as it makes sense, with everything that is wrong about it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::domain::{
    ids::{GroupId, IdError, Login, UserId, UserRef, plain_text},
    user::{Status, User},
};

const MAX_TYPE: usize = 100;
const MAX_STATUS: usize = 40;
/// The status of an account that works.
const ACTIVE: &str = "active";
/// The others, by Okta's names in lower case (Users API, status) and a plain one. A word that isn't known may be a
/// slip of the pen, and is refused.
const NOT_ACTIVE: &[&str] =
    &["inactive", "suspended", "staged", "provisioned", "deprovisioned", "locked_out", "recovery", "password_expired"];
const MAX_GROUPS: usize = 1000;
const MAX_ATTRIBUTES: usize = 200;
const MAX_ATTRIBUTE_NAME: usize = 256;

/// What could be read. Id and login are kept even where the rest is wrong, to find those that occur twice.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) id: Option<UserId>,
    pub(super) login: Option<Login>,
    pub(super) wrong: Vec<String>,
    status: Option<Status>,
    user_type: Option<String>,
    groups: BTreeSet<GroupId>,
    profile: BTreeMap<String, Value>,
}

impl Draft {
    pub(super) fn read(value: Value) -> Self {
        let mut draft = Self::default();
        let Value::Object(mut fields) = value else {
            draft.wrong.push("must be a mapping with `id`, `login` and `status`".into());
            return draft;
        };
        draft.id = draft.required(&mut fields, "id", |text| name(text).and_then(|()| UserId::parse(text)));
        draft.login = draft.required(&mut fields, "login", |text| name(text).and_then(|()| Login::parse(text)));
        let status = draft.required(&mut fields, "status", |text| plain_text(text, MAX_STATUS).map(str::to_owned));
        draft.status = status.and_then(|text| draft.status(&text));
        draft.no_space_around();
        draft.user_type = draft.user_type(fields.remove("type"));
        draft.groups = draft.groups(fields.remove("groups"));
        draft.profile = draft.profile(fields.remove("profile"));
        for field in fields.keys() {
            draft.wrong.push(format!("unknown field {field:?}: remove it, or put it into `profile`"));
        }
        draft
    }

    /// The user and his groups, if nothing is wrong with him.
    pub(super) fn finish(self) -> Option<(User, BTreeSet<GroupId>)> {
        if !self.wrong.is_empty() {
            return None;
        }
        let user = User {
            id: self.id?,
            login: self.login?,
            status: self.status?,
            user_type: self.user_type,
            profile: self.profile,
        };
        Some((user, self.groups))
    }

    fn required<T>(
        &mut self,
        fields: &mut Map<String, Value>,
        field: &str,
        parse: impl Fn(&str) -> Result<T, IdError>,
    ) -> Option<T> {
        match fields.remove(field) {
            None | Some(Value::Null) => self.wrong.push(format!("`{field}` is missing: add it")),
            Some(Value::String(text)) => match parse(&text) {
                Ok(parsed) => return Some(parsed),
                Err(why) => self.wrong.push(format!("`{field}` {why}: choose another")),
            },
            // An unquoted 007 is the number 7: whoever means the text has to say so.
            Some(_) => self.wrong.push(format!("`{field}` must be text: put it in quotes")),
        }
        None
    }

    fn status(&mut self, text: &str) -> Option<Status> {
        if text == ACTIVE {
            return Some(Status::Active);
        }
        if NOT_ACTIVE.contains(&text) {
            return Some(Status::Inactive);
        }
        let known: Vec<_> = [ACTIVE].iter().chain(NOT_ACTIVE).map(|word| format!("`{word}`")).collect();
        self.wrong.push(format!("`status` is {text:?}: write one of {}", known.join(", ")));
        None
    }

    /// Nobody sees such a space, and no caller would name the user with it.
    fn no_space_around(&mut self) {
        let id = self.id.as_ref().map(|id| ("id", id.as_str()));
        let login = self.login.as_ref().map(|login| ("login", login.as_str()));
        for (field, text) in [id, login].into_iter().flatten() {
            if text.trim() != text {
                self.wrong.push(format!("`{field}` is {text:?}: take the space before or after it away"));
            }
        }
    }

    fn user_type(&mut self, value: Option<Value>) -> Option<String> {
        match value {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if plain_text(&text, MAX_TYPE).is_ok() => Some(text),
            Some(_) => {
                self.wrong.push(format!("`type` must be text of 1 to {MAX_TYPE} plain characters: put it in quotes"));
                None
            }
        }
    }

    fn groups(&mut self, value: Option<Value>) -> BTreeSet<GroupId> {
        let list = match value {
            None | Some(Value::Null) => return BTreeSet::new(),
            Some(Value::Array(list)) if list.len() <= MAX_GROUPS => list,
            Some(_) => {
                self.wrong.push(format!("`groups` must be a list of at most {MAX_GROUPS} group ids"));
                return BTreeSet::new();
            }
        };
        let mut groups = BTreeSet::new();
        for (at, item) in list.iter().enumerate() {
            match item.as_str().map(GroupId::parse) {
                Some(Ok(group)) => {
                    groups.insert(group);
                }
                Some(Err(why)) => self.wrong.push(format!("`groups[{at}]` {why}: choose another")),
                None => self.wrong.push(format!("`groups[{at}]` must be text: put it in quotes")),
            }
        }
        groups
    }

    fn profile(&mut self, value: Option<Value>) -> BTreeMap<String, Value> {
        let map = match value {
            None | Some(Value::Null) => return BTreeMap::new(),
            Some(Value::Object(map)) if map.len() <= MAX_ATTRIBUTES => map,
            Some(_) => {
                self.wrong.push(format!("`profile` must be a mapping of at most {MAX_ATTRIBUTES} attributes"));
                return BTreeMap::new();
            }
        };
        for attribute in map.keys() {
            if let Err(why) = plain_text(attribute, MAX_ATTRIBUTE_NAME) {
                self.wrong.push(format!("the name {attribute:?} in `profile` {why}: choose another"));
            }
        }
        map.into_iter().collect()
    }
}

/// A user whom no caller could name is a mistake.
fn name(text: &str) -> Result<(), IdError> {
    UserRef::parse(text).map(|_| ())
}
