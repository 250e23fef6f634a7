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

pub use scim::ScimSettings;

mod scim;

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

/// As the setting names them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Embedded,
    Scim,
}

pub(super) fn directory(name: &TenantName, r: &mut Reader<'_>) -> Read<DirectorySettings> {
    let word = r.value(&settings::DIRECTORY, |text| match text {
        "embedded" => Ok(Word::Embedded),
        "scim" => Ok(Word::Scim),
        _ => Err(fault(format!("`{text}` comes with a later version, or is none"), "use `embedded` or `scim`")),
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
    let kind = match word {
        Ok(Word::Scim) => scim::scim(r).map(DirectoryKind::Scim),
        Ok(Word::Embedded) => {
            scim::warn_if_given(r);
            embedded(r).map(DirectoryKind::Embedded)
        }
        Err(recorded) => Err(recorded),
    };
    let concurrency = r.value(&settings::DIRECTORY_CONCURRENCY, parse::number(1..=1000));
    okta?;
    Ok(DirectorySettings { kind: kind?, concurrency: concurrency? })
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
