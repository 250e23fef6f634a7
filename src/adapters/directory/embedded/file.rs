//! The file of users: YAML in, an index out, or everything that is wrong with it.
//!
//! ```yaml
//! users:
//!   - id: "u-1"
//!     login: alice@example.com
//!     status: active              # the other known ones (suspended, …) are accounts that don't work
//!     type: person                # optional
//!     groups: [finance]           # optional, ids
//!     profile: { title: CFO }     # optional, attributes by name
//! ```

use std::{
    collections::{BTreeSet, HashMap},
    fmt::{self, Display},
    fs::File,
    io::Read,
    path::Path,
};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;
use serde_saphyr::Spanned;

use self::draft::Draft;
use crate::domain::{
    ids::{GroupId, Login, UserId, UserRef},
    user::User,
};

mod draft;
#[cfg(test)]
mod tests;

/// The greatest file that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most users in it.
pub const MAX_USERS: usize = 100_000;
/// More mistakes than this are counted, not told.
const MAX_TOLD: usize = 100;

/// Everything that is wrong with a file; each line says where and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<String>);

impl Mistakes {
    pub(super) fn one(text: impl Display) -> Self {
        Self(vec![text.to_string()])
    }
}

impl Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// A user as the file has him.
#[derive(Debug)]
struct Listed {
    user: User,
    groups: BTreeSet<GroupId>,
}

/// Users by id and by login.
#[derive(Debug, Default)]
pub struct Users {
    listed: HashMap<UserId, Listed>,
    ids: HashMap<Login, UserId>,
    members: HashMap<GroupId, Vec<UserId>>,
}

impl Users {
    /// Reads a file of at most [`MAX_BYTES`] and checks all of it. Blocks.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        Self::parse(&read(path)?)
    }

    /// Checks the content of a file.
    pub fn parse(content: &[u8]) -> Result<Self, Mistakes> {
        let text = std::str::from_utf8(content).map_err(|e| Mistakes::one(format!("the file is not UTF-8: {e}")))?;
        let top: Top = serde_saphyr::from_str_with_options(text, options())
            .map_err(|e| Mistakes::one(format!("the file is not understood: {e}")))?;
        Builder::default().build(top)
    }

    /// The user of that name, compared byte for byte.
    pub fn find(&self, who: &UserRef) -> Option<&User> {
        match who {
            UserRef::Id(id) => self.by_id(id),
            UserRef::Login(login) => self.by_login(login),
            UserRef::Either(text) => {
                let id = UserId::parse(text.as_str()).ok();
                id.and_then(|id| self.by_id(&id)).or_else(|| self.by_login(text))
            }
        }
    }

    /// Ids of the groups that the user is in; `None`: there is no such user.
    pub fn groups_of(&self, id: &UserId) -> Option<&BTreeSet<GroupId>> {
        self.listed.get(id).map(|listed| &listed.groups)
    }

    /// True if there is a user with that id.
    pub fn contains(&self, id: &UserId) -> bool {
        self.listed.contains_key(id)
    }

    /// Who is in that group; `None`: nobody, so that there is none.
    pub fn members_of(&self, group: &GroupId) -> Option<&[UserId]> {
        self.members.get(group).map(Vec::as_slice)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.listed.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    fn by_login(&self, login: &Login) -> Option<&User> {
        self.ids.get(login).and_then(|id| self.by_id(id))
    }

    fn by_id(&self, id: &UserId) -> Option<&User> {
        self.listed.get(id).map(|listed| &listed.user)
    }
}

/// The file's bytes; never more than [`MAX_BYTES`] are held.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Mistakes> {
    let limit = MAX_BYTES as u64 + 1;
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut content))
        .map_err(|e| Mistakes::one(format!("the file {} can't be read: {e}", path.display())))?;
    if content.len() > MAX_BYTES {
        let text = format!("the file {} is greater than {MAX_BYTES} bytes: use a real directory", path.display());
        return Err(Mistakes::one(text));
    }
    Ok(content)
}

fn options() -> serde_saphyr::Options {
    // The parser's default bounds are for smaller files than ours; what an alias may blow up stays bounded.
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: 16_000_000, max_nodes: 8_000_000, max_documents: 1 },
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// The file's outermost mapping. Read by hand so that an unknown field doesn't hide the other mistakes.
#[derive(Default)]
struct Top {
    users: Option<Vec<Spanned<Value>>>,
    unknown: Vec<String>,
}

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TopVisitor)
    }
}

struct TopVisitor;

impl<'de> Visitor<'de> for TopVisitor {
    type Value = Top;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with the field `users`")
    }

    fn visit_unit<E>(self) -> Result<Top, E> {
        Ok(Top::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Top, A::Error> {
        let mut top = Top::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "users" {
                top.users = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
                top.unknown.push(key);
            }
        }
        Ok(top)
    }
}

/// Collects users and mistakes.
#[derive(Default)]
struct Builder {
    users: Users,
    /// Where an id and a login were seen first: place in the list and its label.
    ids: HashMap<UserId, usize>,
    logins: HashMap<Login, usize>,
    wrong: Vec<String>,
}

impl Builder {
    fn build(mut self, top: Top) -> Result<Users, Mistakes> {
        for name in &top.unknown {
            self.wrong.push(format!("unknown field {name:?} beside `users`: remove it"));
        }
        let Some(entries) = top.users else {
            self.wrong.push("the file has no `users`: write `users: []` if there are to be none".into());
            return Err(Mistakes(self.wrong));
        };
        if entries.len() > MAX_USERS {
            let text = format!("{} users are more than {MAX_USERS}: use a real directory", entries.len());
            return Err(Mistakes::one(text));
        }
        for (at, entry) in entries.into_iter().enumerate() {
            self.add(at, entry);
        }
        self.logins_that_are_ids();
        self.finish()
    }

    fn add(&mut self, at: usize, entry: Spanned<Value>) {
        let line = entry.referenced.line();
        let mut draft = Draft::read(entry.value);
        if let Some(id) = &draft.id
            && let Some(first) = self.ids.insert(id.clone(), at)
        {
            draft.wrong.push(format!("users[{first}] has the same id: give each user an id of his own"));
        }
        if let Some(login) = &draft.login
            && let Some(first) = self.logins.insert(login.clone(), at)
        {
            draft.wrong.push(format!("users[{first}] has the same login: give each user a login of his own"));
        }
        let name = draft.id.as_ref().map(|id| format!(", id {:?}", id.as_str())).unwrap_or_default();
        self.wrong.extend(draft.wrong.iter().map(|text| format!("users[{at}] (line {line}{name}): {text}")));
        if let Some((user, groups)) = draft.finish() {
            self.users.ids.insert(user.login.clone(), user.id.clone());
            for group in &groups {
                self.users.members.entry(group.clone()).or_default().push(user.id.clone());
            }
            self.users.listed.insert(user.id.clone(), Listed { user, groups });
        }
    }

    /// A caller may name a user by id or login without saying which, so one text must not name two users.
    fn logins_that_are_ids(&mut self) {
        let mut found: Vec<_> = (self.logins.iter())
            .filter_map(|(login, at)| Some((*at, login, *self.ids.get(&UserId::parse(login.as_str()).ok()?)?)))
            .filter(|(at, _, other)| at != other)
            .collect();
        found.sort_unstable();
        self.wrong.extend(found.into_iter().map(|(at, login, other)| {
            format!("users[{at}]: its login {:?} is the id of users[{other}]: change one of them", login.as_str())
        }));
    }

    fn finish(mut self) -> Result<Users, Mistakes> {
        if self.wrong.is_empty() {
            return Ok(self.users);
        }
        let more = self.wrong.len().saturating_sub(MAX_TOLD);
        self.wrong.truncate(MAX_TOLD);
        if more > 0 {
            self.wrong.push(format!("and {more} more mistakes"));
        }
        Err(Mistakes(self.wrong))
    }
}
