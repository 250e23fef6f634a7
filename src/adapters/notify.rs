//! Ways to tell people: webhooks and e-mail.

pub mod email;
pub mod guard;
pub mod webhook;
