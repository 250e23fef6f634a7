//! Where users are looked up.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use crate::config::{
    duration::duration_within,
    mistakes::{Read, fault},
    parse,
    reader::Reader,
    settings,
};
pub use ldap::{LDAP_ROLES, LdapKind, LdapSecurity, LdapServer, LdapSettings, is_attribute};
pub(in crate::config) use okta::okta;
pub use okta::{OktaCredentials, OktaSettings};
pub use scim::ScimSettings;

mod ldap;
mod okta;
mod scim;

/// A tenant's directory.
#[derive(Debug, Clone)]
pub struct DirectorySettings {
    /// Which one.
    pub kind: DirectoryKind,
    /// Calls that hooks may have under way at a directory elsewhere; everything else has a quarter of it.
    pub concurrency: NonZeroUsize,
}

/// The directories there are.
#[derive(Debug, Clone)]
pub enum DirectoryKind {
    /// A file of users, and grants in the store.
    Embedded(EmbeddedSettings),
    /// An Okta organisation.
    Okta(OktaSettings),
    /// An LDAP server.
    Ldap(Box<LdapSettings>),
    /// A SCIM 2.0 service.
    Scim(ScimSettings),
}

/// The embedded directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedSettings {
    /// Its users; `None`: none was named and the default isn't there, so that nobody is known.
    pub users_file: Option<PathBuf>,
    /// How often the file is looked at.
    pub reload: Duration,
}

/// Ids of the directory's user types.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserTypes {
    /// Ordinary users.
    pub user: Option<String>,
    /// The only type that can be a delegator; `None`: any can.
    pub delegatable: Option<String>,
    /// Entities.
    pub entity: Option<String>,
}

/// Calls of one lane.
const MOST_CALLS: NonZeroUsize = NonZeroUsize::new(1000).unwrap();

/// The words for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Embedded,
    Okta,
    Ldap,
    Scim,
}

const WORDS: &[(&str, Word)] =
    &[("embedded", Word::Embedded), ("okta", Word::Okta), ("ldap", Word::Ldap), ("scim", Word::Scim)];
/// Where the settings of each directory elsewhere are, and its name for people.
const ELSEWHERE: &[(Word, &str, &str)] = &[
    (Word::Okta, "directory.okta.", "Okta"),
    (Word::Ldap, "directory.ldap.", "LDAP"),
    (Word::Scim, "directory.scim.", "SCIM"),
];

pub(super) fn directory(r: &mut Reader<'_>) -> Read<DirectorySettings> {
    let named = r.value(&settings::DIRECTORY, parse::choice(WORDS));
    let by_url = !r.is_given(&settings::DIRECTORY) && r.is_given(&settings::OKTA_URL);
    let word = if by_url { Ok(Word::Okta) } else { named };
    let concurrency = r.value(&settings::DIRECTORY_CONCURRENCY, parse::number(NonZeroUsize::MIN..=MOST_CALLS));
    let word = word?;
    warn_of_unused(r, word);
    let kind = match word {
        Word::Embedded => DirectoryKind::Embedded(embedded(r)?),
        Word::Okta => DirectoryKind::Okta(okta(r)?),
        Word::Ldap => DirectoryKind::Ldap(Box::new(ldap::ldap(r)?)),
        Word::Scim => DirectoryKind::Scim(scim::scim(r)?),
    };
    Ok(DirectorySettings { kind, concurrency: concurrency? })
}

/// Where users have no types, nobody is of the delegatable one.
pub(super) fn types_are_told(r: &mut Reader<'_>, directory: Option<&DirectorySettings>, types: Option<&UserTypes>) {
    let Some(DirectoryKind::Ldap(servers)) = directory.map(|directory| &directory.kind) else { return };
    if types.is_some_and(|types| types.delegatable.is_some()) && !servers.attributes.contains_key("type") {
        let remedy = "name it in BEHALF_LDAP_ATTRIBUTES, such as `type=employeeType`, or leave this out";
        r.wrong(
            &settings::DELEGATED_TYPE,
            fault("nobody could be a delegator: no attribute says of which type a user is", remedy),
        );
    }
}

/// Settings of a directory that isn't the one are worth a word.
fn warn_of_unused(r: &mut Reader<'_>, used: Word) {
    for (_, keys, name) in ELSEWHERE.iter().filter(|(word, ..)| *word != used) {
        let unused = settings::all().filter(|setting| setting.key.starts_with(keys) && r.is_given(setting));
        for setting in unused.collect::<Vec<_>>() {
            let place = r.place(setting);
            r.found.warnings.push(format!("{place}: means nothing unless {name} is the directory (BEHALF_DIRECTORY)"));
        }
    }
}

fn embedded(r: &mut Reader<'_>) -> Read<EmbeddedSettings> {
    let named = r.is_given(&settings::USERS_FILE);
    let users_file = if named { r.existing_file(&settings::USERS_FILE) } else { Ok(default_users(r)) };
    let reload = r.value(&settings::RELOAD, duration_within(Duration::from_millis(100)..=Duration::from_hours(24)));
    Ok(EmbeddedSettings { users_file: users_file?, reload: reload? })
}

fn default_users(r: &mut Reader<'_>) -> Option<PathBuf> {
    let path = r.sources.dir.join(settings::USERS_FILE.default);
    if path.is_file() {
        return Some(path);
    }
    let warning =
        format!("{}: `{}` isn't there, so the directory knows nobody", r.place(&settings::USERS_FILE), path.display());
    r.found.warnings.push(warning);
    None
}

pub(in crate::config) fn user_types(r: &mut Reader<'_>) -> Read<UserTypes> {
    let user = r.optional(&settings::USER_TYPE, parse::word);
    let delegatable = r.optional(&settings::DELEGATED_TYPE, parse::word);
    let entity = r.optional(&settings::ENTITY_TYPE, parse::word);
    Ok(UserTypes { user: user?, delegatable: delegatable?, entity: entity? })
}
