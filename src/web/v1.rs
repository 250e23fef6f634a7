//! The API, version 1: one file per resource.

pub mod approvals;
pub mod audit;
pub mod delegations;
pub mod grants;
pub mod keys;
pub mod locks;
pub mod notifications;
pub mod otp;
pub mod policy;
pub mod reservations;
pub mod reviews;
