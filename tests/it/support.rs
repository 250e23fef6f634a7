//! Stand-ins for the outside world that several tests share.

pub(crate) mod balancer;
pub(crate) mod collector;
pub(crate) mod document;
pub(crate) mod fake_directory;
pub(crate) mod fake_okta;
pub(crate) mod fake_okta_admin;
pub(crate) mod http;
pub(crate) mod ldap;
pub(crate) mod mail;
pub(crate) mod model_store;
pub(crate) mod names;
pub(crate) mod okta_apply;
pub(crate) mod peers;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod scim;
pub(crate) mod tampered_store;
pub(crate) mod test_app;
