//! The service over Redis.

mod faults;
