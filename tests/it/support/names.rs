//! Names of users, from text.

use behalf::domain::ids::{Login, UserId, UserRef};

pub(crate) fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

pub(crate) fn by_id(text: &str) -> UserRef {
    UserRef::Id(id(text))
}

pub(crate) fn by_login(text: &str) -> UserRef {
    UserRef::Login(Login::parse(text).unwrap())
}
