//! The SCIM 2.0 connector: against a real server, and against one that does what real servers do on bad days.

mod answers;
mod canaille;
mod changes;
mod fake;
mod grammar;
mod lookups;
mod real;
mod shapes;

use behalf::domain::ids::{Login, UserId, UserRef};

use crate::support::scim::URN;

fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn by_id(text: &str) -> UserRef {
    UserRef::Id(id(text))
}

fn by_login(text: &str) -> UserRef {
    UserRef::Login(Login::parse(text).unwrap())
}

fn either(text: &str) -> UserRef {
    UserRef::Either(Login::parse(text).unwrap())
}
