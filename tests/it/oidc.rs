//! Token verification against a real issuer on loopback.
