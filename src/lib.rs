//! behalf: delegated access for identity providers with a token inline hook.

pub mod adapters;
pub mod app;
pub mod boot;
pub mod cli;
pub mod config;
pub mod demo;
pub mod domain;
pub mod lifecycle;
pub mod metrics;
pub mod policy;
pub mod ports;
pub mod telemetry;
pub mod web;
