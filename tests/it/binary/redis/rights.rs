//! The ACL rule of the documents is enough, and no word of it is too much.

use super::{World, ask, serve};
use crate::{binary::assert_delegates, support::redis::Redis};

/// The words behind `ACL SETUSER behalf`, with this password.
fn rule(password: &str) -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/redis.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once("ACL SETUSER behalf ").unwrap();
    let (rule, _) = rest.split_once("```").unwrap();
    rule.replace("\\\n", " ").replace("PASSWORD", password).split_whitespace().map(str::to_owned).collect()
}

fn set(server: &Redis, words: &[String]) {
    let command = ["ACL", "SETUSER", "behalf", "reset"].into_iter().chain(words.iter().map(String::as_str));
    server.command(&command.collect::<Vec<_>>());
}

const USER: &[(&str, &str)] = &[("BEHALF_REDIS_USERNAME", "behalf"), ("BEHALF_REDIS_PASSWORD", "s3cret-of-acl")];

#[tokio::test(flavor = "multi_thread")]
async fn the_rule_is_enough_to_serve() {
    let (world, server) = (World::new(), Redis::start(&[("appendonly", "yes")]).await);
    set(&server, &rule("s3cret-of-acl"));
    let store = format!("redis://{}", server.address());
    let checked = ask(&world, &["check"], &store, USER).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.out.contains("appendfsync can't be told"), "{}", checked.out);
    assert!(!checked.out.contains("listened to"), "{}", checked.out);
    let service = serve(&world, &store, USER).await;
    world.grant(&service).await;
    let id = world.begin(&service).await;
    assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e1", Some(&id))).await);
    let log = server.command(&["ACL", "LOG"]);
    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
    // `CONFIG GET` of the check, and nothing else.
    let lines: Vec<&str> = log.lines().collect();
    let denied: Vec<&str> = lines.windows(2).filter(|two| two[0] == "object").map(|two| two[1]).collect();
    assert!(denied.len() == 1 && denied[0].starts_with("config"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_the_rule_is_too_much_and_check_names_what_is_missing() {
    let (world, server) = (World::new(), Redis::start(&[]).await);
    let store = format!("redis://{}", server.address());
    let rule = rule("s3cret-of-acl");
    let commands: Vec<&String> = rule.iter().filter(|word| word.starts_with('+')).collect();
    assert!(commands.len() > 20, "{rule:?}");
    for missing in commands {
        let rest: Vec<String> = rule.iter().filter(|word| *word != missing).cloned().collect();
        set(&server, &rest);
        let checked = ask(&world, &["check"], &store, USER).await;
        let name = missing.trim_start_matches('+').split('|').next_back().unwrap();
        let level = if name == "psubscribe" { "warning: store" } else { "error: store" };
        let named = |line: &&str| line.starts_with(level) && line.to_lowercase().contains(name);
        assert!(checked.out.lines().any(|line| named(&line)), "without {missing}:\n{}", checked.out);
        assert_eq!(checked.code, Some(i32::from(name != "psubscribe")), "without {missing}:\n{}", checked.out);
    }
    for (word, instead, part) in [
        ("~behalf:*", "~behalf:{default}:r:*", "SET ~behalf:{default}:m"),
        ("~behalf:*", "~other:*", "ZADD ~behalf:{default}:i:*"),
        ("&behalf:*:c", "&other", "PUBLISH &behalf:{default}:c"),
    ] {
        let other: Vec<String> =
            rule.iter().map(|given| if given == word { instead.to_owned() } else { given.clone() }).collect();
        assert_ne!(other, rule, "{word}");
        set(&server, &other);
        let checked = ask(&world, &["check"], &store, USER).await;
        assert_eq!(checked.code, Some(1), "{instead}: {checked:?}");
        assert!(checked.out.contains(part), "{instead}:\n{}", checked.out);
    }
}
