//! What a server's result codes mean to who asked.

use crate::ports::directory::DirectoryError;

pub(super) const TIME_LIMIT: u32 = 3;
pub(super) const SIZE_LIMIT: u32 = 4;
pub(super) const REFERRAL: u32 = 10;
pub(super) const ADMIN_LIMIT: u32 = 11;
pub(super) const NO_SUCH_ATTRIBUTE: u32 = 16;
pub(super) const VALUE_EXISTS: u32 = 20;
pub(super) const NO_SUCH_OBJECT: u32 = 32;
pub(super) const INVALID_CREDENTIALS: u32 = 49;
pub(super) const UNWILLING: u32 = 53;
pub(super) const BUSY: u32 = 51;
pub(super) const CLASS_VIOLATION: u32 = 65;
pub(super) const ENTRY_EXISTS: u32 = 68;
pub(super) const ASSERTION_FAILED: u32 = 122;

/// No answer.
pub(super) fn unavailable(what: impl Into<String>) -> DirectoryError {
    DirectoryError::Unavailable(what.into())
}

/// An answer that isn't understood.
pub(super) fn garbled(what: impl Into<String>) -> DirectoryError {
    DirectoryError::Garbled(what.into())
}

/// An answer, and it is no.
pub(super) fn rejected(what: impl Into<String>) -> DirectoryError {
    DirectoryError::Rejected(what.into())
}

/// Of an operation that didn't succeed. The server's own words are left out: they may quote an entry.
pub(super) fn of_result(code: u32, asked: &str) -> DirectoryError {
    let refused = |why: &str| rejected(format!("{asked}: {why} (LDAP result {code})"));
    match code {
        TIME_LIMIT | ADMIN_LIMIT | BUSY => DirectoryError::Throttled { until: None },
        SIZE_LIMIT => refused("the server gives the account fewer entries than there are; raise its size limit"),
        REFERRAL => refused("the server refers to another one, which isn't followed: name the one that has the data"),
        NO_SUCH_OBJECT => refused("what is named in BEHALF_LDAP_BASE isn't there, or the account may not see it"),
        7 | 8 | 13 => refused("the server wants a safer connection: use ldaps:// or StartTLS"),
        INVALID_CREDENTIALS | 48 => refused("wrong BEHALF_LDAP_BIND_DN or BEHALF_LDAP_BIND_PASSWORD"),
        50 => refused("the account may not"),
        UNWILLING => refused("the server is unwilling"),
        12 | 16..=19 | 21 | 34 | 64..=71 => refused("the server's schema or rules don't allow it"),
        _ => unavailable(format!("{asked}: it can't answer (LDAP result {code})")),
    }
}
