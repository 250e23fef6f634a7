//! Names and lists that break careless connectors.

use behalf::{
    domain::ids::{UserId, UserRef},
    ports::directory::Written,
};

use super::{Bench, by_id, by_login, fresh};

const ODD: &[&str] = &[
    "sl/ash",
    "pl+us",
    "per%41cent",
    "é",
    "qu\"ote",
    "apo'strophe",
    "back\\slash",
    "st*r",
    "par(en)s",
    "am&p?q#h",
    "co,mma",
    "semi;colon=x",
    "two words",
];

pub(in crate::contract) async fn odd_logins_name_their_users_and_no_other(b: Bench) {
    let agent = b.put("agent").await;
    for odd in ODD {
        let login = fresh(odd);
        if !b.rig.finds(&login) {
            assert!(!matches!(b.directory.user(&by_login(&login)).await, Ok(Some(_))), "{login}");
            continue;
        }
        assert_eq!(b.directory.user(&by_login(&login)).await, Ok(None), "{login}");
        let id = b.rig.put(&login).await;
        let found =
            b.directory.delegator(&by_login(&login), &agent).await.unwrap().unwrap_or_else(|| panic!("{login}"));
        assert_eq!((found.user.id.as_str(), found.user.login.as_str()), (id.as_str(), login.as_str()));
        assert_eq!(b.directory.add_grant(&id, &agent).await, Ok(Written::Changed), "{login}");
        assert!(b.granted(&id, &agent).await, "{login}");
    }
}

/// Somebody who asks with these must not be told of anybody else: no wildcard, no second condition, no other path.
pub(in crate::contract) async fn what_looks_like_a_query_finds_nobody(b: Bench) {
    let login = fresh("alice");
    let alice = b.rig.put(&login).await;
    let agent = b.put("agent").await;
    b.rig.list(&alice, std::slice::from_ref(&agent)).await;
    let tricks = [
        "*",
        "*)(uid=*",
        "alice*",
        "x)(|(objectClass=*)",
        "\" or userName pr or id eq \"",
        "x\" or profile.login pr or id eq \"x",
        "../users",
        "%2e%2e/users",
        "me",
        "?limit=200",
        "\\2a",
        "' or 1 eq 1 or '",
        "x\\\" or id pr or id eq \\\"",
        "cn=admin,dc=example,dc=test",
    ];
    for trick in tricks {
        let longer = format!("{login}{trick}");
        for text in [trick, &longer] {
            let Ok(who) = UserRef::parse(text) else { continue };
            let found = b.directory.user(&who).await;
            assert!(!matches!(found, Ok(Some(_))), "{text}: {found:?}");
            let Ok(id) = UserId::parse(text) else { continue };
            let found = b.directory.user(&by_id(&id)).await;
            assert!(!matches!(found, Ok(Some(_))), "{text}: {found:?}");
            let granted = b.directory.is_granted(&alice, &id).await;
            assert!(!matches!(granted, Ok(true)), "{text}");
            let granted = b.directory.is_granted(&id, &agent).await;
            assert!(!matches!(granted, Ok(true)), "{text}");
            for candidate in b.directory.delegators_of(&id).await.unwrap_or_default() {
                assert!(!b.granted(&candidate, &id).await, "{text}");
            }
        }
    }
    assert!(b.granted(&alice, &agent).await);
}

pub(in crate::contract) async fn a_list_of_five_hundred(b: Bench) {
    let delegator = b.put("delegator").await;
    let last = b.put("agent").await;
    let mut agents: Vec<_> = (0..499).map(|n| UserId::parse(&format!("00uMany{n:013}")).unwrap()).collect();
    agents.push(last.clone());
    b.rig.list(&delegator, &agents).await;
    for agent in [&agents[0], &agents[250], &last] {
        assert!(b.granted(&delegator, agent).await, "{agent}");
    }
    assert!(!b.granted(&delegator, &UserId::parse("00uMany").unwrap()).await);
    let (mut listed, mut expected) = (b.directory.agents_of(&delegator).await.unwrap(), agents.clone());
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    let one_more = b.put("agent").await;
    assert_eq!(b.directory.add_grant(&delegator, &one_more).await, Ok(Written::Changed));
    assert_eq!(b.directory.agents_of(&delegator).await.unwrap().len(), 501);
    assert_eq!(b.directory.remove_grant(&delegator, &agents[7]).await, Ok(Written::Changed));
    assert!(!b.granted(&delegator, &agents[7]).await && b.granted(&delegator, &agents[8]).await);
}
