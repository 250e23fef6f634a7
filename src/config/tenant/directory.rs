//! Where users are looked up.

mod ldap;
mod okta;

use std::{path::PathBuf, time::Duration};

pub use self::ldap::{LDAP_ROLES, LdapKind, LdapSecurity, LdapServer, LdapSettings, is_attribute};
pub use self::okta::{OktaCredentials, OktaSettings};

use crate::config::{duration::duration_within, mistakes::Read, parse, reader::Reader, settings};

/// A tenant's directory.
#[derive(Debug, Clone)]
pub struct DirectorySettings {
    /// Which one.
    pub kind: DirectoryKind,
    /// Calls that hooks may have under way at a directory elsewhere; everything else has a quarter of it.
    pub concurrency: usize,
}

/// The directories there are.
#[derive(Debug, Clone)]
pub enum DirectoryKind {
    /// A file of users, and grants in the store.
    Embedded(EmbeddedSettings),
    /// An LDAP server.
    Ldap(Box<LdapSettings>),
    /// An Okta organisation.
    Okta(OktaSettings),
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

/// The words for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Embedded,
    Ldap,
    Okta,
}

pub(super) fn directory(r: &mut Reader<'_>) -> Read<DirectorySettings> {
    let word = parse::choice(&[("embedded", Word::Embedded), ("ldap", Word::Ldap), ("okta", Word::Okta)]);
    let named = r.value(&settings::DIRECTORY, word);
    let by_url = !r.is_given(&settings::DIRECTORY) && r.is_given(&settings::OKTA_URL);
    let word = if by_url { Ok(Word::Okta) } else { named };
    let concurrency = r.value(&settings::DIRECTORY_CONCURRENCY, parse::number(1..=1000));
    let word = word?;
    if word != Word::Okta {
        okta::warn_of_unused(r);
    }
    if word != Word::Ldap {
        ldap::warn_if_given(r);
    }
    let kind = match word {
        Word::Embedded => DirectoryKind::Embedded(embedded(r)?),
        Word::Ldap => DirectoryKind::Ldap(Box::new(ldap::ldap(r)?)),
        Word::Okta => DirectoryKind::Okta(okta::okta(r)?),
    };
    Ok(DirectorySettings { kind, concurrency: concurrency? })
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

pub(super) fn user_types(r: &mut Reader<'_>) -> Read<UserTypes> {
    let user = r.optional(&settings::USER_TYPE, parse::word);
    let delegatable = r.optional(&settings::DELEGATED_TYPE, parse::word);
    let entity = r.optional(&settings::ENTITY_TYPE, parse::word);
    Ok(UserTypes { user: user?, delegatable: delegatable?, entity: entity? })
}
