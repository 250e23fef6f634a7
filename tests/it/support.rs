//! Stand-ins for the outside world that several tests share.

pub(crate) mod okta_apply;
