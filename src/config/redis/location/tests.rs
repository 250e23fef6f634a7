use super::*;

fn at(host: &str, port: u16) -> RedisAddress {
    RedisAddress { host: host.to_owned(), port }
}

fn read(url: &str) -> Location {
    parse(url).unwrap_or_else(|fault| panic!("{url}: {fault:?}"))
}

#[test]
fn one_server_with_and_without_tls() {
    for (url, address, database, tls, username) in [
        ("redis://r", at("r", 6379), 0, false, None),
        ("redis://r/", at("r", 6379), 0, false, None),
        ("redis://r:1/16383", at("r", 1), 16_383, false, None),
        ("rediss://me@redis.example.com:65535/7", at("redis.example.com", 65_535), 7, true, Some("me")),
        ("redis://10.0.0.1", at("10.0.0.1", 6379), 0, false, None),
        ("redis://[2001:DB8::1]:6380", at("2001:db8::1", 6380), 0, false, None),
        ("redis://[::1]/2", at("::1", 6379), 2, false, None),
        ("redis://my_redis", at("my_redis", 6379), 0, false, None),
        ("redis://a%40b@r", at("r", 6379), 0, false, Some("a@b")),
    ] {
        let expected = Location {
            topology: RedisTopology::Standalone(address),
            database,
            tls,
            username: username.map(str::to_owned),
        };
        assert_eq!(read(url), expected, "{url}");
    }
}

#[test]
fn sentinels_and_the_name_they_know() {
    let read = read("redis-sentinel://me@a,b:1,[::1]:2/my-master.1_x/3?tls=true");
    let sentinels = vec![at("a", 26_379), at("b", 1), at("::1", 2)];
    assert_eq!(read.topology, RedisTopology::Sentinel { sentinels, master: "my-master.1_x".to_owned() });
    assert_eq!((read.database, read.tls, read.username.as_deref()), (3, true, Some("me")));
    for url in ["redis-sentinel://a/m", "redis-sentinel://a/m/", "redis-sentinel://a/m/0?tls=false"] {
        let read = self::read(url);
        assert_eq!((read.database, read.tls), (0, false), "{url}");
    }
}

#[test]
fn a_cluster_has_nodes_and_no_database() {
    let nodes = || RedisTopology::Cluster(vec![at("a", 6379), at("b", 7000)]);
    for (url, tls) in [
        ("redis-cluster://a,b:7000", false),
        ("redis-cluster://a,b:7000/", false),
        ("redis-cluster://a,b:7000/0", false),
        ("redis-cluster://a,b:7000?tls=true", true),
        ("redis-cluster://a,b:7000/?tls=true", true),
    ] {
        let read = read(url);
        assert_eq!((read.topology, read.database, read.tls), (nodes(), 0, tls), "{url}");
    }
}

/// Each URL, and what is said against it.
const WRONG: &[(&str, &str)] = &[
    ("redis://", "host 1: is empty"),
    ("redis:///1", "host 1: is empty"),
    ("redis://:6379", "host 1: is empty"),
    ("redis://me@", "host 1: is empty"),
    ("redis-sentinel://a,/m", "host 2: is empty"),
    ("redis-cluster://,a", "host 1: is empty"),
    ("redis-cluster://a,,b", "host 2: is empty"),
    ("redis://r:", "host 1: its port"),
    ("redis://r:0", "host 1: its port"),
    ("redis://r:+1", "host 1: its port"),
    ("redis://r:65536", "host 1: its port"),
    ("redis://r:x", "host 1: its port"),
    ("redis-cluster://a,b:x", "host 2: its port"),
    ("redis://::1", "host 1: is neither"),
    ("redis://fe80::1:6379", "host 1: is neither"),
    ("redis://[::1", "host 1: is neither"),
    ("redis://[::1]x", "host 1: is neither"),
    ("redis://[r]", "host 1: is neither"),
    ("redis://a b", "host 1: is neither"),
    ("redis-cluster://a, b", "host 2: is neither"),
    ("redis://1.2.3.4.5", "host 1: is neither"),
    ("redis://a,b", "more than one host"),
    ("redis://r/x", "its database is no number"),
    ("redis://r/-1", "its database is no number"),
    ("redis://r/+1", "its database is no number"),
    ("redis://r/16384", "its database is no number"),
    ("redis://r/1/", "its database is no number"),
    ("redis://r//", "its database is no number"),
    ("redis-sentinel://a/m/x", "its database is no number"),
    ("redis-sentinel://a/m/1/2", "its database is no number"),
    ("redis-cluster://a/x", "its database is no number"),
    ("redis-cluster://a/1", "only database 0"),
    ("redis-sentinel://a", "no master's name"),
    ("redis-sentinel://a/", "no master's name"),
    ("redis-sentinel://a//1", "no master's name"),
    ("redis-sentinel://a/my%20master", "no master's name"),
    ("redis://r?tls=true", "something behind a `?`"),
    ("rediss://r/0?", "something behind a `?`"),
    ("redis-cluster://a?", "something else than `tls=true`"),
    ("redis-cluster://a?tls", "something else than `tls=true`"),
    ("redis-cluster://a?tls=yes", "something else than `tls=true`"),
    ("redis-cluster://a?TLS=true", "something else than `tls=true`"),
    ("redis-sentinel://a/m?tls=true&tls=true", "something else than `tls=true`"),
    ("redis-sentinel://a/m?db=1", "something else than `tls=true`"),
    ("redis://r#", "a fragment"),
    ("redis-sentinel://a/m?tls=true#x", "a fragment"),
    ("redis://@r", "a username that Redis doesn't take"),
    ("redis://a%20b@r", "a username that Redis doesn't take"),
    ("redis://%ff@r", "not UTF-8"),
    ("redis-cluster://me@a,me@b", "an `@` where none can be"),
    ("redis://r/0@x", "an `@` where none can be"),
];

#[test]
fn what_is_wrong_is_said_with_a_remedy() {
    for (url, said) in WRONG {
        let fault = parse(url).map_or_else(|fault| fault, |read| panic!("{url} is taken for {read:?}"));
        assert!(fault.what.contains(said), "{url}: {fault:?}");
        assert!(!fault.remedy.is_empty(), "{url}");
    }
}

/// The remedy of a mistake is a form that is read without one.
#[test]
fn the_forms_in_the_remedies_are_right() {
    for scheme in [Scheme::Redis, Scheme::Rediss, Scheme::Sentinel, Scheme::Cluster] {
        let form = scheme.form().split('`').nth(1).unwrap();
        let with_all = form.replace(['[', ']'], "").replace("/db", "/1").replace("<master-name>", "m");
        assert_eq!(read(&with_all).username.as_deref(), Some("user"), "{form}");
    }
}

/// Wherever a password stands, and whatever it holds, no piece of it is said. All pieces here are made of `Q`s.
#[test]
fn no_piece_of_a_password_is_said() {
    let passwords = ["QQQ", "Q@QQ", "Q/QQ", "Q#QQ", "Q?QQ", "Q,QQ", "Q:QQ", "Q%QQ", "Q QQ", "Q]QQ", "Q@Q/Q?Q#Q:Q", ""];
    for scheme in ["redis", "rediss", "redis-sentinel", "redis-cluster"] {
        for password in passwords {
            for url in [
                format!("{scheme}://:{password}@r/0"),
                format!("{scheme}://me:{password}@r:1/m/0"),
                format!("{scheme}://a,me:{password}@b/m"),
                format!("{scheme}://me%3A{password}@r"),
            ] {
                let fault = parse(&url).map_or_else(|fault| fault, |read| panic!("{url} is taken for {read:?}"));
                let told = format!("{fault:?}");
                assert!(!told.contains('Q'), "{url}: {told}");
                assert!(told.contains("BEHALF_REDIS_PASSWORD_FILE"), "{url}: {told}");
            }
            // Without the `@` nobody can tell that it is one: something else is wrong, and shows as little.
            let told = format!("{:?}", parse(&format!("{scheme}://:{password}/x")).unwrap_err());
            assert!(!told.contains('Q'), "{told}");
            let told = format!("{:?}", parse(&format!("{scheme}://r/x?password={password}")).unwrap_err());
            assert!(!told.contains('Q'), "{told}");
        }
    }
}

#[test]
fn other_schemes_are_not_redis() {
    for url in ["redis:r", "redis:/r", "REDIS://r", "redis+sentinel://r", "unix://r", "memory", "embedded:./data", ""] {
        assert!(!is_redis(url) && parse(url).is_err(), "{url}");
    }
}

#[test]
fn an_address_is_shown_as_it_is_written() {
    assert_eq!(at("r", 1).to_string(), "r:1");
    assert_eq!(at("::1", 6379).to_string(), "[::1]:6379");
}
