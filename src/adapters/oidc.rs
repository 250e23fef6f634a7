//! Access tokens of users, by OpenID Connect discovery and JWKS.
