//! Groups of Active Directory (Samba's) where they usually lie: beside the users, not among them.

use std::collections::BTreeSet;

use behalf::{
    adapters::directory::ldap::Settings,
    domain::ids::{GroupId, UserId},
};
use ldap3::{Mod, Scope, SearchEntry};

use super::{inspect::said, *};

/// A DACL that names nobody, and takes none from above: nobody may see the entry.
const NOBODY: &[u8] = b"\x01\0\x04\x94\0\0\0\0\0\0\0\0\0\0\0\0\x14\0\0\0\x04\0\x08\0\0\0\0\0";
/// Of a group that mails are sent to.
const DISTRIBUTION: &str = "2";
const SECURITY: &str = "-2147483646";

/// An organisation with its users in one place and its groups in another.
struct Place {
    peer: &'static Peer,
    name: &'static str,
}

impl Place {
    async fn new(name: &'static str) -> Option<Self> {
        let place = Self { peer: Peer::samba().await?, name };
        let above = format!("OU={name},{}", place.peer.base);
        for dn in [above, place.unit("People"), place.unit("Groups")] {
            place.peer.add(&dn, &[("objectClass", &["organizationalUnit"])]).await;
        }
        Some(place)
    }

    fn unit(&self, unit: &str) -> String {
        format!("OU={unit},OU={},{}", self.name, self.peer.base)
    }

    async fn user(&self, name: &str) -> (String, UserId) {
        let (name, login) = (format!("{name}-{}", self.name), format!("{name}@{}.example.com", self.name));
        let dn = format!("CN={name},{}", self.unit("People"));
        let attributes: [(&str, &[&str]); 4] = [
            ("objectClass", &["user"]),
            ("sAMAccountName", &[&name]),
            ("userPrincipalName", &[&login]),
            ("userAccountControl", &["544"]),
        ];
        self.peer.add(&dn, &attributes).await;
        let id = self.peer.id_of(&dn).await;
        (dn, UserId::parse(&id).unwrap())
    }

    async fn group(&self, name: &str, kind: &str, member: &str) -> (String, GroupId) {
        let name = format!("{name}-{}", self.name);
        let dn = format!("CN={name},{}", self.unit("Groups"));
        let attributes: [(&str, &[&str]); 4] =
            [("objectClass", &["group"]), ("sAMAccountName", &[&name]), ("groupType", &[kind]), ("member", &[member])];
        self.peer.add(&dn, &attributes).await;
        let id = self.peer.id_of(&dn).await;
        (dn, GroupId::parse(&id).unwrap())
    }

    async fn of_domain(&self, dn: &str) -> GroupId {
        GroupId::parse(&self.peer.id_of(&format!("{dn},{}", self.peer.base)).await).unwrap()
    }

    fn settings(&self) -> Settings {
        Settings { base: self.unit("People"), ..self.peer.settings(&[&self.peer.address()]) }
    }

    /// The last part of an entry's SID.
    async fn number(&self, dn: &str) -> u32 {
        let found =
            self.peer.admin().await.search(dn, Scope::Base, "(objectClass=*)", vec!["objectSid"]).await.unwrap();
        let entry = SearchEntry::construct(found.success().unwrap().0.pop().unwrap());
        // Bytes that happen to be text are given as text.
        let sid =
            entry.bin_attrs.get("objectSid").map_or_else(|| entry.attrs["objectSid"][0].as_bytes(), |all| &all[0]);
        u32::from_le_bytes(sid[sid.len() - 4..].try_into().unwrap())
    }

    async fn hide(&self, dn: &str) {
        let change = Mod::Replace(b"nTSecurityDescriptor".as_slice(), [NOBODY].into());
        let result = self.peer.admin().await.modify(dn, vec![change]).await.unwrap();
        assert_eq!(result.rc, 0, "{result}");
    }
}

#[tokio::test]
async fn heavy_samba_groups_beside_the_users_base_are_told() {
    let Some(place) = Place::new("beside").await else { return };
    let (ann, ann_id) = place.user("ann").await;
    let (_, bob_id) = place.user("bob").await;
    let (inner, inner_id) = place.group("inner", SECURITY, &ann).await;
    let (outer, outer_id) = place.group("outer", SECURITY, &inner).await;
    let (_, outermost_id) = place.group("outermost", SECURITY, &outer).await;
    let (mails, mails_id) = place.group("mails", DISTRIBUTION, &ann).await;
    let (_, all_mails_id) = place.group("all-mails", DISTRIBUTION, &mails).await;
    let everybody = [place.of_domain("CN=Domain Users,CN=Users").await, place.of_domain("CN=Users,CN=Builtin").await];
    let hers = [inner_id, outer_id, outermost_id, mails_id, all_mails_id];
    let directory = Peer::connector(place.settings());
    let expected: BTreeSet<GroupId> = hers.iter().chain(&everybody).cloned().collect();
    assert_eq!(directory.groups_of(&ann_id).await, Ok(expected));
    assert_eq!(directory.groups_of(&bob_id).await, Ok(everybody.iter().cloned().collect()));
    // What is said of a group is said of each of them.
    for group in &hers {
        let members = directory.members_of(group, 10).await.unwrap().unwrap();
        assert_eq!((members.ids, members.more), ([ann_id.clone()].into(), false), "{group}");
    }
    for group in &everybody {
        let members = directory.members_of(group, 10).await.unwrap().unwrap();
        assert_eq!(members.ids, [ann_id.clone(), bob_id.clone()].into(), "{group}");
    }
}

/// It isn't among the groups that a user shows, and he not among its members.
#[tokio::test]
async fn heavy_samba_the_primary_group_is_a_group() {
    let Some(place) = Place::new("primary").await else { return };
    let (ann, ann_id) = place.user("ann").await;
    let (first, first_id) = place.group("first", SECURITY, &ann).await;
    let (above, above_id) = place.group("above", SECURITY, &first).await;
    let (_, mails_id) = place.group("mails", DISTRIBUTION, &above).await;
    place.peer.replace(&ann, "primaryGroupID", &[&place.number(&first).await.to_string()]).await;
    let directory = Peer::connector(place.settings());
    let groups = directory.groups_of(&ann_id).await.unwrap();
    for group in [first_id, above_id, mails_id] {
        assert!(groups.contains(&group), "{group}: {groups:?}");
        let members = directory.members_of(&group, 10).await.unwrap().unwrap();
        assert_eq!(members.ids, [ann_id.clone()].into(), "{group}");
    }
}

#[tokio::test]
async fn heavy_samba_a_group_that_cannot_be_seen_is_an_error() {
    let Some(place) = Place::new("hidden").await else { return };
    let directory = Peer::connector(place.settings());
    for (name, kind, above) in [
        ("plain", SECURITY, false),
        ("mails", DISTRIBUTION, false),
        ("plain-above", SECURITY, true),
        ("mails-above", DISTRIBUTION, true),
    ] {
        let (dn, user) = place.user(name).await;
        let mut hidden = place.group(&format!("g-{name}"), kind, &dn).await.0;
        if above {
            hidden = place.group(&format!("h-{name}"), kind, &hidden).await.0;
        }
        assert!(directory.groups_of(&user).await.is_ok(), "{name}");
        place.hide(&hidden).await;
        let why = rejected(directory.groups_of(&user).await);
        assert!(why.contains("a group that a user is in"), "{name}: {why}");
    }
    let text = said(&place.settings()).await;
    assert!(text.contains("rules that name groups"), "{text}");
}
