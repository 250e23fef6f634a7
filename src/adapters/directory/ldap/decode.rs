//! Entries as users.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    fault::garbled,
    id,
    raw::Raw,
    settings::{Kind, Names},
};
use crate::{
    adapters::directory::entries::{MOST_AGENTS, each_once},
    domain::{
        ids::{GroupId, Login, UserId},
        user::{Status, User},
    },
    ports::{clock::Clock, directory::DirectoryError},
};

/// Values that an attribute of a profile may have; one with more is left out.
const MOST_VALUES: usize = 200;
/// Bytes of all its values.
const MOST_BYTES: usize = 16 << 10;

/// What says that an account is locked; who isn't locked doesn't have it.
pub(super) const LOCK_OF_OPENLDAP: &str = "pwdAccountLockedTime";
pub(super) const LOCK_OF_389: &str = "nsAccountLock";
/// `ACCOUNTDISABLE` of `userAccountControl`.
const DISABLED: i64 = 0x2;
/// From the first of January 1601 to that of 1970, in seconds.
const FILE_TIME: i64 = 11_644_473_600;

/// Attributes that are nobody's claim, whatever the configuration says.
const SECRETS: &[&str] = &[
    "userpassword",
    "authpassword",
    "unicodepwd",
    "dbcspwd",
    "ntpwdhistory",
    "lmpwdhistory",
    "supplementalcredentials",
    "pwdhistory",
    "passwordhistory",
    "sambantpassword",
    "sambalmpassword",
    "krbprincipalkey",
    "ms-mcs-admpwd",
    "mslaps-password",
    "mslaps-encryptedpassword",
    "msds-managedpassword",
    "msds-keycredentiallink",
];

/// Reads entries.
pub(super) struct Decoder {
    kind: Kind,
    names: Names,
    clock: Arc<dyn Clock>,
}

/// True for passwords and the like.
fn is_secret(attribute: &str) -> bool {
    let name = attribute.split(';').next().unwrap_or_default();
    SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

impl Decoder {
    pub(super) fn new(kind: Kind, names: Names, clock: Arc<dyn Clock>) -> Self {
        Self { kind, names, clock }
    }

    /// What of a user is asked for.
    pub(super) fn attributes(&self) -> Vec<String> {
        let Names { id, login, agents, user_type, profile, .. } = &self.names;
        let known = [id, login, agents].into_iter().chain(user_type).map(String::as_str);
        let shown = profile.values().map(String::as_str).filter(|name| !is_secret(name));
        let mut all: Vec<&str> = known.chain(self.of_status().iter().copied()).chain(shown).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(str::to_owned).collect()
    }

    fn of_status(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::OpenLdap => &[LOCK_OF_OPENLDAP],
            Kind::Ds389 => &[LOCK_OF_389],
            Kind::ActiveDirectory => &["userAccountControl", "accountExpires"],
        }
    }

    /// The id of any entry, a group's too.
    fn id_text(&self, entry: &Raw) -> Result<String, DirectoryError> {
        let [value] = entry.values(&self.names.id) else {
            return Err(garbled(format!("an entry has not exactly one `{}`", self.names.id)));
        };
        id::from_server(self.kind, value).ok_or_else(|| garbled(format!("a `{}` is no id", self.names.id)))
    }

    /// A user's id.
    pub(super) fn id(&self, entry: &Raw) -> Result<UserId, DirectoryError> {
        UserId::parse(&self.id_text(entry)?).map_err(|why| garbled(format!("a user's id {why}")))
    }

    /// A group's id.
    pub(super) fn group(&self, entry: &Raw) -> Result<GroupId, DirectoryError> {
        GroupId::parse(&self.id_text(entry)?).map_err(|why| garbled(format!("a group's id {why}")))
    }

    /// The user, without his agents.
    pub(super) fn user(&self, id: UserId, entry: &Raw) -> Result<User, DirectoryError> {
        let login = single(entry, &self.names.login)?;
        let login = login.ok_or_else(|| garbled(format!("a user has no `{}`", self.names.login)))?;
        let login = Login::parse(login).map_err(|why| garbled(format!("a user's login {why}")))?;
        let user_type = match &self.names.user_type {
            Some(name) => single(entry, name)?.map(str::to_owned),
            None => None,
        };
        Ok(User { id, login, status: self.status(entry)?, user_type, profile: self.profile(entry) })
    }

    fn status(&self, entry: &Raw) -> Result<Status, DirectoryError> {
        let works = match self.kind {
            Kind::OpenLdap => entry.values(LOCK_OF_OPENLDAP).is_empty(),
            Kind::Ds389 => match single(entry, LOCK_OF_389)? {
                None => true,
                Some(locked) => locked.eq_ignore_ascii_case("false"),
            },
            Kind::ActiveDirectory => self.works_in_ad(entry)?,
        };
        Ok(if works { Status::Active } else { Status::Inactive })
    }

    fn works_in_ad(&self, entry: &Raw) -> Result<bool, DirectoryError> {
        let number = |name: &str| -> Result<Option<i64>, DirectoryError> {
            let Some(text) = single(entry, name)? else { return Ok(None) };
            text.parse().map(Some).map_err(|_| garbled(format!("a `{name}` is no number")))
        };
        // The server gives both to every user, so that one that isn't there isn't shown.
        let shown = |name: &str| {
            number(name)?.ok_or_else(|| garbled(format!("a user has no `{name}` that the account may see")))
        };
        let control = shown("userAccountControl")?;
        let expired = match shown("accountExpires")? {
            0 | i64::MAX => false,
            ticks => ticks / 10_000_000 - FILE_TIME <= self.clock.now().as_second(),
        };
        Ok(control & DISABLED == 0 && !expired)
    }

    /// Text alone: one value as text, several as a list.
    fn profile(&self, entry: &Raw) -> BTreeMap<String, Value> {
        let attribute = |(name, theirs): (&String, &String)| {
            let values = entry.values(theirs);
            let bytes: usize = values.iter().map(Vec::len).sum();
            let fits = (1..=MOST_VALUES).contains(&values.len()) && bytes <= MOST_BYTES && !is_secret(theirs);
            let texts: Vec<&str> = entry.texts(theirs).collect();
            let value = match texts.as_slice() {
                _ if !fits || texts.len() < values.len() => return None,
                [text] => Value::from(*text),
                texts => Value::from(texts),
            };
            Some((name.clone(), value))
        };
        self.names.profile.iter().filter_map(attribute).collect()
    }
}

/// The values as agents, each once.
pub(super) fn agents(values: &[Vec<u8>]) -> Result<Vec<UserId>, DirectoryError> {
    if values.len() > MOST_AGENTS {
        return Err(garbled(format!("a user lists more than {MOST_AGENTS} agents")));
    }
    let agent = |value: &Vec<u8>| {
        let text = str::from_utf8(value).map_err(|_| garbled("an agent's id is no text"))?;
        UserId::parse(text).map_err(|why| garbled(format!("an agent's id {why}")))
    };
    values.iter().map(agent).collect::<Result<Vec<_>, _>>().map(each_once)
}

/// The attribute's one value, if it has one.
fn single<'e>(entry: &'e Raw, name: &str) -> Result<Option<&'e str>, DirectoryError> {
    match entry.values(name) {
        [] => Ok(None),
        [value] => str::from_utf8(value).map(Some).map_err(|_| garbled(format!("a `{name}` is no text"))),
        _ => Err(garbled(format!("a user has more than one `{name}`"))),
    }
}

#[cfg(test)]
mod tests;
