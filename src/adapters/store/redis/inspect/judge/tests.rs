use super::*;
use crate::adapters::finding::Level;

const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n# Memory\r\nmaxmemory:0\r\n\
                    maxmemory_policy:noeviction\r\naof_enabled:1\r\nrole:master\r\nconnected_slaves:0\r\n";

fn told(change: &[(&str, &str)], config: Option<&[(&str, &str)]>) -> Vec<Finding> {
    let info = change.iter().fold(INFO.to_owned(), |info, (from, to)| {
        assert!(info.contains(from), "{from}");
        info.replace(from, to)
    });
    let config = config.map(|pairs| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
    Told { info, config }.judge(Mode::Alone)
}

const GOOD: &[(&str, &str)] = &[("appendfsync", "everysec"), ("save", ""), ("min-replicas-to-write", "0")];

#[track_caller]
fn says(found: &[Finding], level: Level, part: &str) {
    assert!(found.iter().any(|finding| finding.level == level && finding.text.contains(part)), "{part}: {found:#?}");
}

fn worst(found: &[Finding]) -> Level {
    found.iter().map(|finding| finding.level).max().unwrap()
}

#[test]
fn a_server_as_it_should_be_gets_no_warning() {
    let found = told(&[], Some(GOOD));
    assert_eq!(worst(&found), Level::Good, "{found:#?}");
    for part in ["Redis 7.0.15", "noeviction", "maxmemory is 0", "up to about a second", "no replica"] {
        says(&found, Level::Good, part);
    }
}

#[test]
fn what_can_give_a_wrong_yes_or_does_not_work_is_an_error() {
    for (from, to, part) in [
        ("noeviction", "allkeys-lru", "allkeys-lru"),
        ("noeviction", "volatile-ttl", "volatile-ttl"),
        ("7.0.15", "6.0.16", "6.0.16"),
        ("role:master", "role:slave", "replica"),
        ("redis_mode:standalone", "redis_mode:cluster", "redis-cluster://"),
        ("redis_mode:standalone", "redis_mode:sentinel", "redis-sentinel://"),
    ] {
        says(&told(&[(from, to)], Some(GOOD)), Level::Error, part);
    }
    let alone = Told { info: INFO.to_owned(), config: None }.judge(Mode::Node);
    says(&alone, Level::Error, "redis://");
}

#[test]
fn what_can_be_lost_is_a_warning() {
    let off = ("aof_enabled:1", "aof_enabled:0");
    says(&told(&[off], Some(GOOD)), Level::Warning, "grants, locks and the audit trail are gone");
    let snapshots = [("appendfsync", "everysec"), ("save", "3600 1"), ("min-replicas-to-write", "0")];
    says(&told(&[off], Some(&snapshots)), Level::Warning, "save 3600 1");
    says(&told(&[], Some(&[("appendfsync", "no"), ("save", "")])), Level::Warning, "30 s");
    let replicas = ("connected_slaves:0", "connected_slaves:2");
    says(&told(&[replicas], Some(GOOD)), Level::Warning, "min-replicas-to-write is 0");
    let demanded = ("connected_slaves:0", "connected_slaves:2\r\nmin_slaves_good_slaves:2");
    assert_eq!(worst(&told(&[demanded], Some(GOOD))), Level::Good);
}

#[test]
fn what_can_not_be_told_is_said_and_not_guessed() {
    let found = told(&[], None);
    says(&found, Level::Warning, "appendfsync can't be told");
    says(&told(&[("aof_enabled:1", "aof_enabled:0")], None), Level::Warning, "If none are");
    for field in
        ["maxmemory_policy:noeviction\r\n", "aof_enabled:1\r\n", "redis_version:7.0.15\r\n", "connected_slaves:0\r\n"]
    {
        assert_eq!(worst(&told(&[(field, "")], Some(GOOD))), Level::Warning, "{field}");
    }
}
