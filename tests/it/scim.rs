//! The SCIM 2.0 connector: against a real server, and against one that does what real servers do on bad days.

mod answers;
mod canaille;
mod changes;
mod fake;
mod grammar;
mod lookups;
mod real;
mod shapes;

use behalf::domain::ids::{Login, UserRef};

use crate::support::{
    names::{by_id, by_login, id},
    scim::URN,
};

fn either(text: &str) -> UserRef {
    UserRef::Either(Login::parse(text).unwrap())
}
