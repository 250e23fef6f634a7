//! What is special to LDAP. What all directories have in common is shown by the contract suite.

mod connections;
mod entries;
mod fake;
mod filters;
mod heavy;
mod heavy_groups;
mod inspect;
mod writes;

use behalf::{
    adapters::directory::{entries::Entries, ldap::LdapDirectory},
    domain::{ids::UserId, user::User},
    ports::directory::DirectoryError,
};

use super::{by_id, by_login, id};
use crate::support::ldap::Peer;

async fn user(directory: &LdapDirectory, user: &UserId) -> User {
    directory.entry(&by_id(user.as_str())).await.unwrap().unwrap().user
}

#[track_caller]
fn rejected<T: std::fmt::Debug>(answer: Result<T, DirectoryError>) -> String {
    match answer {
        Err(DirectoryError::Rejected(why)) => why,
        other => panic!("it isn't rejected: {other:?}"),
    }
}

#[track_caller]
fn unavailable<T: std::fmt::Debug>(answer: Result<T, DirectoryError>) -> String {
    match answer {
        Err(DirectoryError::Unavailable(why)) => why,
        other => panic!("it isn't unavailable: {other:?}"),
    }
}

#[track_caller]
fn garbled<T: std::fmt::Debug>(answer: Result<T, DirectoryError>) -> String {
    match answer {
        Err(DirectoryError::Garbled(why)) => why,
        other => panic!("it is understood, or no answer: {other:?}"),
    }
}
