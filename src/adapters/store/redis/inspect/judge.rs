//! From what a server says of itself to what that means here.

use super::{Finding, Told};
use crate::adapters::store::redis::link::{Mode, OLDEST, field, mode_of, not_as_named};

const NO_CONFIG: &str = "can't be told, because this user may not `CONFIG GET`";
const LOSES_ALL: &str = "nothing is written to disk: when the server ends, grants, locks and the audit trail are gone";

impl Told {
    /// Everything that there is to say.
    pub(super) fn judge(&self, mode: Mode) -> Vec<Finding> {
        let mut found = vec![self.version()];
        if let Some(why) = not_as_named(mode_of(&self.info), mode) {
            found.push(Finding::error(format!("it {why}")));
            return found;
        }
        if self.field("role") == Some("slave") {
            found.push(Finding::error("it is a replica; name the master, or the sentinels, in BEHALF_STORE"));
            return found;
        }
        found.push(self.eviction());
        found.push(self.memory());
        found.push(self.persistence());
        found.extend(self.replicas());
        found
    }

    fn field(&self, name: &str) -> Option<&str> {
        field(&self.info, name)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }

    fn version(&self) -> Finding {
        let Some(shown) = self.field("redis_version") else {
            return Finding::warning("it doesn't tell its version; 6.2 or newer is needed");
        };
        let mut parts = shown.split('.').map(|part| part.parse().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if version < OLDEST {
            return Finding::error(format!("it is Redis {shown}; 6.2 or newer is needed"));
        }
        Finding::good(format!("Redis {shown}"))
    }

    fn eviction(&self) -> Finding {
        match self.field("maxmemory_policy") {
            Some("noeviction") => Finding::good("maxmemory-policy is noeviction"),
            Some(policy) => Finding::error(format!(
                "maxmemory-policy is {policy}: a full Redis would drop records by itself, and without a lock that was \
                 dropped a hook says yes where it must say no; set noeviction"
            )),
            None => Finding::warning("maxmemory-policy isn't told; it must be noeviction"),
        }
    }

    fn memory(&self) -> Finding {
        match self.number("maxmemory") {
            Some(0) => Finding::good("maxmemory is 0: it grows until the machine has no memory left"),
            Some(bytes) => {
                Finding::good(format!("maxmemory is {} MiB; when it is full, hooks are refused", bytes >> 20))
            }
            None => Finding::warning("maxmemory isn't told"),
        }
    }

    fn persistence(&self) -> Finding {
        let config = |name: &str| self.config.as_ref()?.get(name).map(String::as_str);
        let (fsync, save) = (config("appendfsync"), config("save"));
        match (self.field("aof_enabled"), fsync, save) {
            (Some("1"), Some("always"), _) => {
                Finding::good("appendonly with appendfsync always: what is acknowledged is on disk")
            }
            (Some("1"), Some("everysec"), _) => Finding::good(
                "appendonly with appendfsync everysec: a power cut may lose up to about a second, and the epoch is raised",
            ),
            (Some("1"), Some(fsync), _) => Finding::warning(format!(
                "appendfsync is {fsync}: a power cut may lose what was committed in about 30 s, grants that were ended \
                 and locks that were placed among it"
            )),
            (Some("1"), None, _) => Finding::warning(format!(
                "appendonly is on; appendfsync {NO_CONFIG}: with everysec a power cut may lose up to about a second"
            )),
            (Some("0"), _, Some("")) => Finding::warning(format!("appendonly is no and save is empty: {LOSES_ALL}")),
            (Some("0"), _, Some(save)) => Finding::warning(format!(
                "appendonly is no, only snapshots are written (save {save}): when the server ends, what was committed \
                 since the last one is lost: grants that were ended, locks that were placed, the audit trail's end"
            )),
            (Some("0"), _, None) => Finding::warning(format!(
                "appendonly is no; whether snapshots are written (`save`) {NO_CONFIG}. If none are, {LOSES_ALL}"
            )),
            _ => Finding::warning("whether anything is written to disk isn't told"),
        }
    }

    fn replicas(&self) -> Option<Finding> {
        let attached = self.number("connected_slaves");
        // The field is there wherever min-replicas-to-write isn't 0.
        let demanded = self.field("min_slaves_good_slaves").is_some();
        match attached {
            None => Some(Finding::warning("whether replicas are attached isn't told")),
            Some(0) if demanded => None,
            Some(0) => Some(Finding::good("no replica is attached: if the server is lost, so is what is only there")),
            Some(attached) if demanded => {
                Some(Finding::good(format!("{attached} replicas, and writes wait for min-replicas-to-write of them")))
            }
            Some(attached) => Some(Finding::warning(format!(
                "{attached} replicas, and min-replicas-to-write is 0: a failover can lose commits that were \
                 acknowledged. The raised epoch makes used ids safe, but locks that were placed and grants that were \
                 ended may be lost"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
