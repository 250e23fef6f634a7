//! Answers that no decent server gives, from one that says what a test wants.

use std::sync::Arc;

use behalf::{
    adapters::directory::ldap::{Kind, Settings},
    ports::directory::Written,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;

type Answers = Arc<dyn Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync>;

fn element(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut all = vec![kind, 0x84];
    all.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
    all.extend(content);
    all
}

fn result(kind: u8, code: u8) -> Vec<u8> {
    element(kind, &[element(10, &[code]), element(4, b""), element(4, b"")].concat())
}

fn done(code: u8) -> Vec<u8> {
    result(0x65, code)
}

fn entry(attributes: &[(&str, &[&str])]) -> Vec<u8> {
    let attribute = |(name, values): &(&str, &[&str])| {
        let values: Vec<u8> = values.iter().flat_map(|value| element(4, value.as_bytes())).collect();
        element(0x30, &[element(4, name.as_bytes()), element(0x31, &values)].concat())
    };
    let attributes: Vec<u8> = attributes.iter().flat_map(attribute).collect();
    element(0x64, &[element(4, b"cn=x,dc=example,dc=test"), element(0x30, &attributes)].concat())
}

/// A server that lets everybody in and gives these answers to every other request, of which it shows the operation.
async fn fake(answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static) -> LdapDirectory {
    Peer::connector(told(answers).await)
}

/// What the connector is told of it.
async fn told(answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Settings {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answers: Answers = Arc::new(answers);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, Arc::clone(&answers)));
        }
    });
    Settings { connections: 1, ..Peer::of_nobody(&address) }
}

async fn serve(mut client: TcpStream, answers: Answers) -> Option<()> {
    loop {
        let (mut head, mut length) = ([0; 2], [0; 8]);
        client.read_exact(&mut head).await.ok()?;
        let long = usize::from(head[1].saturating_sub(0x80));
        client.read_exact(&mut length[8 - long..]).await.ok()?;
        let length =
            if long == 0 { usize::from(head[1]) } else { usize::try_from(u64::from_be_bytes(length)).unwrap() };
        let mut body = vec![0; length];
        client.read_exact(&mut body).await.ok()?;
        let (number, operation) = body.split_at(2 + usize::from(body[1]));
        let said = if operation[0] == 0x60 { vec![result(0x61, 0)] } else { answers(operation) };
        for answer in said {
            // A raw one is no operation but what is sent as it is.
            let bytes =
                if answer[0] == b'!' { answer[1..].to_vec() } else { element(0x30, &[number, &answer].concat()) };
            client.write_all(&bytes).await.ok()?;
        }
    }
}

fn mentions(operation: &[u8], text: &str) -> bool {
    operation.windows(text.len()).any(|part| part == text.as_bytes())
}

const ALICE: (&str, &[&str]) = ("entryUUID", &["a-1"]);
const LOGIN: (&str, &[&str]) = ("uid", &["alice"]);

#[tokio::test]
async fn somebody_else_is_not_who_was_asked_for() {
    let directory = fake(|_| vec![entry(&[ALICE, LOGIN, ("delegatedAgents", &["bob"])]), done(0)]).await;
    assert!(directory.entry(&by_id("a-1")).await.unwrap().is_some());
    for who in [by_id("a-2"), by_id("A-1"), by_id("alice"), by_login("Alice"), by_login("a-1")] {
        assert_eq!(directory.entry(&who).await, Ok(None), "{who:?}");
    }
    rejected(directory.add(&id("a-2"), &id("bob")).await);
    assert_eq!(directory.remove(&id("a-2"), &id("bob")).await, Ok(Written::Already));
    assert_eq!(directory.groups_of(&id("a-2")).await, Err(DirectoryError::NoSuchUser));
}

#[tokio::test]
async fn result_codes_tell_who_is_to_blame() {
    for code in [3, 11, 51] {
        let directory = fake(move |_| vec![done(code)]).await;
        let asked = directory.entry(&by_login("alice")).await;
        assert_eq!(asked, Err(DirectoryError::Throttled { until: None }), "{code}");
    }
    for code in [8, 10, 13, 32, 49, 50, 53] {
        rejected(fake(move |_| vec![done(code)]).await.entry(&by_login("alice")).await);
    }
    for code in [1, 52, 80, 99] {
        unavailable(fake(move |_| vec![done(code)]).await.entry(&by_login("alice")).await);
    }
    // An entry, and then a no, is a no.
    unavailable(fake(|_| vec![entry(&[ALICE, LOGIN]), done(52)]).await.entry(&by_login("alice")).await);
    // Others know more, who aren't asked.
    let elsewhere = element(0x73, &element(4, b"ldap://other/"));
    rejected(fake(move |_| vec![elsewhere.clone(), done(0)]).await.entry(&by_login("alice")).await);
}

#[tokio::test]
async fn entries_that_are_not_whole_are_no_users() {
    let wrong: [&[(&str, &[&str])]; 5] = [
        &[LOGIN],
        &[("entryUUID", &["a-1", "a-2"]), LOGIN],
        &[ALICE, ("uid", &["alice", "al"])],
        &[ALICE, LOGIN, ("delegatedAgents", &["bob", ""])],
        &[ALICE, LOGIN, ("delegatedAgents", &["bob\n"])],
    ];
    for attributes in wrong {
        let sent = entry(attributes);
        garbled(fake(move |_| vec![sent.clone(), done(0)]).await.entry(&by_login("alice")).await);
    }
}

/// What would have the library read too much, too deep, or panic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malicious_server_is_only_unavailable() {
    let deep = (0..20_000).fold(Vec::new(), |inner: Vec<u8>, _| {
        let mut outer = vec![0x30, 0x84];
        outer.extend(u32::try_from(inner.len()).unwrap().to_be_bytes());
        outer.extend(inner);
        outer
    });
    let cases: Vec<Vec<u8>> = vec![
        b"!\x30\x84\xff\xff\xff\xff\x02\x01".to_vec(),
        [b"!".to_vec(), deep].concat(),
        b"!\x30\x03\x02\x01\x02".to_vec(),
        // A bind's and a change's result for a search, an entry for a bind.
        result(0x61, 0),
        result(0x67, 0),
        element(0x64, b"garbage"),
    ];
    for answer in cases {
        let directory = fake(move |_| vec![answer.clone()]).await;
        unavailable(directory.entry(&by_login("alice")).await);
    }
    // An entry where a change's result belongs.
    let directory = fake(|operation| match operation[0] {
        0x63 => vec![entry(&[ALICE, LOGIN]), done(0)],
        _ => vec![entry(&[ALICE])],
    });
    unavailable(directory.await.add(&id("a-1"), &id("bob")).await);
    // More than was asked for, without an end.
    let flood = fake(|_| (0..5000).map(|_| entry(&[ALICE, LOGIN])).collect()).await;
    unavailable(flood.entry(&by_login("alice")).await);
    // The next page is always the same.
    let cookie = element(0x30, &[element(2, &[0]), element(4, b"again")].concat());
    let control = element(0x30, &[element(4, b"1.2.840.113556.1.4.319"), element(4, &cookie)].concat());
    let last = element(0xa0, &control);
    let pages = fake(move |_| {
        let page = (0..100).map(|n| entry(&[("entryUUID", &[&format!("a-{n}")])]));
        page.chain([[done(0), last.clone()].concat()]).collect()
    });
    assert_eq!(pages.await.candidates(&id("bob")).await.unwrap().len(), 1000);
}

/// Active Directory gives long lists in parts.
#[tokio::test]
async fn a_list_in_parts_is_put_together() {
    let parts = |second: &'static str| {
        fake(move |operation| {
            let list: (&str, &[&str]) = if mentions(operation, "range=2-*") {
                (second, &["carol", "dave"])
            } else {
                ("delegatedAgents;range=0-1", &["ann", "bob"])
            };
            vec![entry(&[ALICE, LOGIN, ("delegatedAgents", &[]), list]), done(0)]
        })
    };
    let directory = parts("delegatedAgents;range=2-*").await;
    let agents = directory.entry(&by_id("a-1")).await.unwrap().unwrap().agents;
    assert_eq!(agents, [id("ann"), id("bob"), id("carol"), id("dave")]);
    assert_eq!(directory.add(&id("a-1"), &id("dave")).await, Ok(Written::Already));
    for wrong in ["delegatedAgents", "delegatedAgents;range=0-1", "delegatedAgents;range=2-9"] {
        garbled(parts(wrong).await.entry(&by_id("a-1")).await);
    }
}

/// Without what the server itself says of all groups, one that isn't seen couldn't be told from one that isn't there.
#[tokio::test]
async fn groups_of_active_directory_are_all_seen_or_none_is_told() {
    let guid: (&str, &[&str]) = ("objectGUID", &["0123456789abcdef"]);
    let domain = |tokens: &'static [&'static str], above: &'static [&'static str]| {
        told(move |operation| {
            let found = if mentions(operation, "namingContexts") {
                entry(&[("namingContexts", &["dc=example,dc=test"])])
            } else if mentions(operation, "tokenGroups") {
                entry(&[("tokenGroups", tokens)])
            } else {
                entry(&[guid, ("objectSid", &["sid-1"]), ("sIDHistory", &["sid-0"]), ("memberOf", above)])
            };
            vec![found, done(0)]
        })
    };
    let asked = async |settings: Settings| {
        let mut settings = Settings { kind: Kind::ActiveDirectory, ..settings };
        "objectGUID".clone_into(&mut settings.names.id);
        "member".clone_into(&mut settings.names.groups);
        Peer::connector(settings).groups_of(&id("33323130-3534-3736-3839-616263646566")).await
    };
    assert_eq!(asked(domain(&["sid-1", "sid-0"], &[]).await).await.unwrap().len(), 1);
    rejected(asked(domain(&[], &[]).await).await);
    rejected(asked(domain(&["sid-1", "sid-2"], &[]).await).await);
}
