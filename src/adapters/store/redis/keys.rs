//! Every key of the Redis store. All of a tenant's carry its name as hash tag, so they lie in one slot and one script
//! can change them together. The scripts are given these names, or prefixes that are made here.

use crate::{
    domain::ids::TenantName,
    ports::store::{ChangeId, Index, Key},
};

/// With what every key begins.
pub(super) const PREFIX: &str = "behalf:";

/// Names one tenant's keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a>(pub(super) &'a TenantName);

impl Keys<'_> {
    fn with(self, kind: &str, rest: &[u8]) -> Vec<u8> {
        let tenant = self.0.as_str();
        let mut out = Vec::with_capacity(PREFIX.len() + tenant.len() + 3 + kind.len() + rest.len());
        out.extend_from_slice(PREFIX.as_bytes());
        out.push(b'{');
        out.extend_from_slice(tenant.as_bytes());
        out.extend_from_slice(b"}:");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(rest);
        out
    }

    /// The counters: format, version, seq, highest time, records, events, skew, run id.
    pub(super) fn counters(self) -> Vec<u8> {
        self.with("m", b"")
    }

    /// The stream of events; the number of one is its id.
    pub(super) fn events(self) -> Vec<u8> {
        self.with("e", b"")
    }

    /// What became of an attempt; kept for 10 s.
    pub(super) fn attempt(self, id: ChangeId) -> Vec<u8> {
        self.with("a:", &id.0)
    }

    /// A lease: format, token, end, holder.
    pub(super) fn lease(self, name: &str) -> Vec<u8> {
        self.with("l:", name.as_bytes())
    }

    /// A record.
    pub(super) fn record(self, key: Key) -> Vec<u8> {
        self.with("r:", &key.to_bytes())
    }

    /// What stands before a record's own 41 bytes.
    pub(super) fn records(self) -> Vec<u8> {
        self.with("r:", b"")
    }

    /// An index: a sorted set whose members all have score 0: position and record.
    pub(super) fn index(self, index: Index) -> Vec<u8> {
        let mut name = vec![index.list];
        name.extend_from_slice(&index.owner);
        self.with("i:", &name)
    }

    /// What stands before an index's list and owner.
    pub(super) fn indexes(self) -> Vec<u8> {
        self.with("i:", b"")
    }

    /// Written only so that replicas can be waited for.
    pub(super) fn mark(self) -> Vec<u8> {
        self.with("w", b"")
    }

    /// The channel on which commits are hinted at.
    pub(super) fn channel(self) -> Vec<u8> {
        self.with("c", b"")
    }
}

/// The cluster's slot of a tenant: CRC-16 (XMODEM) of the hash tag, modulo 16384 (Redis Cluster specification).
pub(super) fn slot(tenant: &TenantName) -> u16 {
    let crc = tenant.as_str().bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    crc % 16384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // `CLUSTER KEYSLOT` of Redis 7 says so; the first is the check value of the CRC, 0x31c3.
        for (name, expected) in [("123456789", 12739), ("default", 5718), ("acme", 11304)] {
            assert_eq!(slot(&TenantName::parse(name).unwrap()), expected, "{name}");
        }
    }

    #[test]
    fn a_tenant_is_its_keys_only_hash_tag() {
        let tenant = TenantName::parse("acme").unwrap();
        let key = Keys(&tenant).counters();
        assert_eq!(key, b"behalf:{acme}:m");
    }
}
