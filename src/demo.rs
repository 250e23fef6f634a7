//! The story, played over real HTTP, and the development authorization server it is played with.

pub mod authorization_server;
