//! The Okta dialect against golden requests.
