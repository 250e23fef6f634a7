//! Where users are looked up.

use std::{path::PathBuf, time::Duration};

use crate::{
    config::{
        duration::duration_within,
        mistakes::{Read, fault},
        parse,
        reader::Reader,
        settings,
    },
    domain::ids::TenantName,
};

pub use ldap::{LDAP_ROLES, LdapKind, LdapSecurity, LdapServer, LdapSettings, is_attribute};

mod ldap;

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

pub(super) fn directory(name: &TenantName, r: &mut Reader<'_>) -> Read<DirectorySettings> {
    let chosen = r.value(&settings::DIRECTORY, |text| match text {
        "embedded" => Ok(Chosen::Embedded),
        "ldap" => Ok(Chosen::Ldap),
        _ => Err(fault(format!("`{text}` comes with a later version, or is none"), "use `embedded` or `ldap`")),
    });
    let default_tenant = *name == TenantName::default_tenant();
    let okta = if default_tenant && r.is_given(&settings::TENANT) {
        let remedy = "leave TENANT out to use the embedded directory";
        Err(r.wrong(&settings::TENANT, fault("selects the Okta directory, which comes with a later version", remedy)))
    } else {
        Ok(())
    };
    if default_tenant && r.is_given(&settings::TOKEN) && okta.is_ok() {
        r.found.warnings.push("TOKEN is for the Okta directory and isn't used without TENANT".to_owned());
    }
    let concurrency = r.value(&settings::DIRECTORY_CONCURRENCY, parse::number(1..=1000));
    let chosen = chosen?;
    if chosen != Chosen::Ldap {
        ldap::warn_if_given(r);
    }
    let kind = match chosen {
        Chosen::Embedded => embedded(r).map(DirectoryKind::Embedded),
        Chosen::Ldap => ldap::ldap(r).map(|settings| DirectoryKind::Ldap(Box::new(settings))),
    };
    okta?;
    Ok(DirectorySettings { kind: kind?, concurrency: concurrency? })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Embedded,
    Ldap,
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
