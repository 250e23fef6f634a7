//! Against PyPI's scim2-server.

use std::sync::Arc;

use behalf::{
    adapters::{
        directory::{entries::Entries as _, scim::Scim},
        finding::Level,
        system::SystemClock,
    },
    domain::user::Status,
    ports::directory::{DirectoryError, Written},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{by_id, by_login, either, id};
use crate::support::scim::{Scim2Server, URN, connector, connector_of};

fn to(server: &Scim2Server) -> Scim {
    connector(&server.url, Arc::new(SystemClock))
}

#[tokio::test]
async fn users_by_id_and_login() {
    let Some(server) = Scim2Server::start().await else { return };
    let scim = to(&server);
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let ann = json!({
        "userName": "Ann/Bee+50%é@example.com", "active": true, "userType": "Employee",
        "name": {"givenName": "Ann", "familyName": "Bee"},
        "emails": [{"value": "other@example.com"}, {"value": "ann@example.com", "primary": true}],
        enterprise: {"department": "Engineering"},
    });
    let ann = server.create_as(&ann).await;
    let off = server.create_as(&json!({"userName": "off", "active": false})).await;
    let unsaid = server.create_as(&json!({"userName": "un\"said\\"})).await;

    for who in [by_id(&ann), by_login("Ann/Bee+50%é@example.com"), either(&ann), either("Ann/Bee+50%é@example.com")] {
        let entry = scim.entry(&who).await.unwrap().unwrap();
        let user = &entry.user;
        assert_eq!((user.id.as_str(), user.login.as_str()), (ann.as_str(), "Ann/Bee+50%é@example.com"));
        assert_eq!((user.status, user.user_type.as_deref()), (Status::Active, Some("Employee")));
        let names = ["firstName", "lastName", "email", "department"].map(|name| user.text(name).unwrap());
        assert_eq!(names, ["Ann", "Bee", "ann@example.com", "Engineering"]);
        assert!(entry.agents.is_empty());
    }
    for (who, login) in [(&off, "off"), (&unsaid, "un\"said\\")] {
        assert_eq!(scim.entry(&by_login(login)).await.unwrap().unwrap().user.id, id(who));
        assert_eq!(scim.entry(&by_id(who)).await.unwrap().unwrap().user.status, Status::Inactive, "{login}");
    }
    // The server itself takes the first of these for Ann's userName.
    for nobody in ["ann/bee+50%é@example.com", "Ann", "*", "\" or userName pr or userName eq \"", "x) or (userName pr"]
    {
        assert_eq!(scim.entry(&by_login(nobody)).await, Ok(None), "{nobody}");
        assert_eq!(scim.entry(&either(nobody)).await, Ok(None), "{nobody}");
    }
    for nobody in ["nobody", &ann.to_uppercase(), "?", "#", "a/b", "%2e%2e", "é", &format!(" {ann}")] {
        assert_eq!(scim.entry(&by_id(nobody)).await, Ok(None), "{nobody}");
    }
    // It takes this for her id; what came is not what was asked for.
    let loose = scim.entry(&by_id(&format!("{ann}/"))).await;
    assert!(matches!(loose, Err(DirectoryError::Garbled(_))), "{loose:?}");
    server.change(&off, |user| user["active"] = json!(true)).await;
    assert_eq!(scim.entry(&by_id(&off)).await.unwrap().unwrap().user.status, Status::Active);
    server.delete(&ann).await;
    assert_eq!(scim.entry(&by_id(&ann)).await, Ok(None));
    assert_eq!(scim.entry(&by_login("Ann/Bee+50%é@example.com")).await, Ok(None));
}

async fn grants_come_and_go(supported: &Value, attribute: &str) {
    let Some(server) = Scim2Server::start_with(supported).await else { return };
    let scim = connector_of(&server.url, crate::support::scim::TOKEN, attribute, Arc::new(SystemClock));
    let [ann, bob, cid] = [server.create("ann").await, server.create("bob").await, server.create("cid").await];
    let [ann, bob, cid] = [id(&ann), id(&bob), id(&cid)];
    let listed = async |who: &str| scim.entry(&by_id(who)).await.unwrap().unwrap().agents;

    assert_eq!(scim.add(&ann, &bob).await, Ok(Written::Changed));
    assert_eq!(scim.add(&ann, &bob).await, Ok(Written::Already));
    assert_eq!(scim.add(&ann, &cid).await, Ok(Written::Changed));
    assert_eq!(listed(ann.as_str()).await, [bob.clone(), cid.clone()]);
    assert_eq!(scim.candidates(&bob).await, Ok(vec![ann.clone()]));
    assert_eq!(scim.candidates(&ann).await, Ok(vec![]));
    assert_eq!(scim.remove(&ann, &bob).await, Ok(Written::Changed));
    assert_eq!(scim.remove(&ann, &bob).await, Ok(Written::Already));
    assert_eq!(listed(ann.as_str()).await, std::slice::from_ref(&cid));
    assert_eq!(scim.candidates(&bob).await, Ok(vec![]));

    let nobody = id("nobody");
    for (delegator, agent) in [(&nobody, &ann), (&ann, &nobody)] {
        assert!(matches!(scim.add(delegator, agent).await, Err(DirectoryError::Rejected(_))), "{delegator} {agent}");
        assert_eq!(scim.remove(delegator, agent).await, Ok(Written::Already));
    }
    // A deleted agent's grant can still be ended.
    server.delete(cid.as_str()).await;
    assert_eq!(scim.remove(&ann, &cid).await, Ok(Written::Changed));
    assert_eq!(listed(ann.as_str()).await, []);
    assert_eq!(server.get(ann.as_str()).await["userName"], "ann");
}

#[tokio::test]
async fn by_patch_of_objects() {
    grants_come_and_go(&json!({}), "delegations.value").await;
}

#[tokio::test]
async fn by_patch_of_texts() {
    grants_come_and_go(&json!({}), "delegatedAgents").await;
}

#[tokio::test]
async fn by_patch_without_versions() {
    grants_come_and_go(&json!({"etag": false}), "delegations.value").await;
}

#[tokio::test]
async fn by_version_of_objects() {
    grants_come_and_go(&json!({"patch": false}), "delegations.value").await;
}

#[tokio::test]
async fn by_version_of_texts() {
    grants_come_and_go(&json!({"patch": false}), "delegatedAgents").await;
}

#[tokio::test]
async fn neither_patch_nor_versions_changes_nothing() {
    let Some(server) = Scim2Server::start_with(&json!({"patch": false, "etag": false})).await else { return };
    let scim = to(&server);
    let (ann, bob) = (server.create("ann").await, server.create("bob").await);
    let before = server.get(&ann).await;
    let refused = scim.add(&id(&ann), &id(&bob)).await;
    assert!(
        matches!(&refused, Err(DirectoryError::Rejected(why)) if why.contains("neither PATCH nor ETags")),
        "{refused:?}"
    );
    assert_eq!(server.get(&ann).await, before);
    assert_eq!(scim.remove(&id(&ann), &id(&bob)).await, Ok(Written::Already), "nothing has to be written for that");
}

#[tokio::test]
async fn without_filters_only_ids_are_looked_up() {
    let Some(server) = Scim2Server::start_with(&json!({"filter": false})).await else { return };
    let scim = to(&server);
    let ann = server.create("ann").await;
    assert!(scim.entry(&either(&ann)).await.unwrap().is_some());
    for who in [by_login("ann"), either("ann"), by_login("nobody")] {
        let refused = scim.entry(&who).await;
        assert!(matches!(&refused, Err(DirectoryError::Rejected(why)) if why.contains("userName")), "{refused:?}");
    }
    assert!(matches!(scim.candidates(&id(&ann)).await, Err(DirectoryError::Rejected(_))));
    assert!(matches!(scim.groups_of(&id(&ann)).await, Err(DirectoryError::Rejected(_))));
    let findings = scim.inspect().await;
    assert_eq!(findings.iter().filter(|finding| finding.text.contains("does not support filters")).count(), 2);
}

/// 40 at once, 8 at a time, on one delegator: 20 come and 20 go.
async fn nothing_is_lost(supported: &Value) {
    let Some(server) = Scim2Server::start_with(supported).await else { return };
    let scim = Arc::new(to(&server));
    let (mut coming, mut going) = (Vec::new(), Vec::new());
    for n in 0..20 {
        coming.push(id(&server.create(&format!("in-{n}")).await));
        going.push(id(&server.create(&format!("out-{n}")).await));
    }
    let there: Vec<Value> = going.iter().map(|agent| json!({"value": agent.as_str()})).collect();
    let ann = json!({"userName": "ann", "active": true, URN: {"delegations": there}});
    let ann = id(&server.create_as(&ann).await);
    let places = Arc::new(Semaphore::new(8));
    let mut tasks = tokio::task::JoinSet::new();
    for (agent, add) in coming.iter().map(|agent| (agent, true)).chain(going.iter().map(|agent| (agent, false))) {
        let (scim, ann, agent, places) = (Arc::clone(&scim), ann.clone(), agent.clone(), Arc::clone(&places));
        tasks.spawn(async move {
            let _place = places.acquire().await.unwrap();
            if add { scim.add(&ann, &agent).await } else { scim.remove(&ann, &agent).await }
        });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap(), Ok(Written::Changed));
    }
    let mut listed = scim.entry(&by_id(ann.as_str())).await.unwrap().unwrap().agents;
    listed.sort();
    coming.sort();
    assert_eq!(listed, coming);
}

#[tokio::test]
async fn forty_at_once_by_patch_lose_nothing() {
    nothing_is_lost(&json!({})).await;
}

#[tokio::test]
async fn forty_at_once_by_version_lose_nothing() {
    nothing_is_lost(&json!({"patch": false})).await;
}

#[tokio::test]
async fn groups_by_their_members() {
    let Some(server) = Scim2Server::start().await else { return };
    let scim = to(&server);
    let (ann, bob) = (server.create("ann").await, server.create("bob").await);
    let both = server.create_group("both", &[&ann, &bob]).await;
    let one = server.create_group("one", &[&ann]).await;
    let ids = async |who: &str| {
        let groups = scim.groups_of(&id(who)).await.unwrap();
        groups.iter().map(|group| group.as_str().to_owned()).collect::<Vec<_>>()
    };
    let mut expected = [both.clone(), one];
    expected.sort();
    assert_eq!(ids(&ann).await, expected);
    assert_eq!(ids(&bob).await, [both]);
    assert_eq!(scim.groups_of(&id("nobody")).await, Err(DirectoryError::NoSuchUser), "not one who is in none");
}

#[tokio::test]
async fn five_hundred_agents_and_many_delegators() {
    let Some(server) = Scim2Server::start().await else { return };
    let scim = to(&server);
    let bob = server.create("bob").await;
    let mut agents: Vec<Value> = (0..499).map(|n| json!({"value": format!("agent-{n}")})).collect();
    agents.push(json!({"value": bob}));
    let user = |login: String| json!({"userName": login, "active": true, URN: {"delegations": agents}});
    let ann = server.create_as(&user("ann".to_owned())).await;
    let entry = scim.entry(&by_id(&ann)).await.unwrap().unwrap();
    assert_eq!(entry.agents.len(), 500);
    assert_eq!(scim.remove(&id(&ann), &id("agent-250")).await, Ok(Written::Changed));
    assert_eq!(scim.add(&id(&bob), &id(&ann)).await, Ok(Written::Changed));
    assert_eq!(scim.entry(&by_id(&ann)).await.unwrap().unwrap().agents.len(), 499);
    // Two pages and a bit.
    let mut expected = vec![id(&ann)];
    let few = json!([{"value": bob}]);
    for n in 0..230 {
        let user = json!({"userName": format!("user-{n}"), "active": true, URN: {"delegations": few}});
        expected.push(id(&server.create_as(&user).await));
    }
    let mut found = scim.candidates(&id(&bob)).await.unwrap();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_wrong_token_and_a_wrong_address() {
    let Some(server) = Scim2Server::start().await else { return };
    let ann = server.create("ann").await;
    let stranger = connector_of(&server.url, "another", "delegations.value", Arc::new(SystemClock));
    let refused = stranger.entry(&by_id(&ann)).await;
    assert!(matches!(&refused, Err(DirectoryError::Rejected(why)) if why.contains("401")), "{refused:?}");
    assert!(!format!("{refused:?}").contains("another"));
    // A SCIM error 404 below this address says nothing about users.
    let elsewhere = connector(&format!("{}/x", server.url), Arc::new(SystemClock));
    let refused = elsewhere.entry(&by_id(&ann)).await;
    assert!(matches!(&refused, Err(DirectoryError::Rejected(why)) if why.contains("BEHALF_SCIM_URL")), "{refused:?}");
}

#[tokio::test]
async fn check_says_how_it_is() {
    let Some(server) = Scim2Server::start().await else { return };
    let findings = to(&server).inspect().await;
    let texts = |level| findings.iter().filter(|f| f.level == level).map(|f| f.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(Level::Error), Vec::<String>::new());
    assert!(texts(Level::Warning).iter().any(|text| text.contains("no users")), "{findings:?}");
    server.create("ann").await;
    let findings = to(&server).inspect().await;
    let bad: Vec<_> = findings.iter().filter(|finding| finding.level > Level::Good).collect();
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert!(bad[0].text.contains("who else may write"));

    let wrong = connector_of(&server.url, "another", "delegations.value", Arc::new(SystemClock)).inspect().await;
    assert!(wrong.iter().any(|finding| finding.level == Level::Error && finding.text.contains("token")), "{wrong:?}");
    let other = connector_of(&server.url, crate::support::scim::TOKEN, "elsewhere.value", Arc::new(SystemClock));
    let other = other.inspect().await;
    assert!(other.iter().any(|f| f.level == Level::Error && f.text.contains("no attribute `elsewhere`")), "{other:?}");
}
