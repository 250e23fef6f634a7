use std::sync::Arc;

use super::*;
use crate::ports::clock::ManualClock;

fn decoder(kind: Kind, user_type: Option<&str>) -> Decoder {
    let names = Names {
        id: "id".to_owned(),
        login: "uid".to_owned(),
        agents: "agents".to_owned(),
        groups: "memberOf".to_owned(),
        user_type: user_type.map(str::to_owned),
        class: "class".to_owned(),
        profile: BTreeMap::from([("mail".to_owned(), "mail".to_owned()), ("p".to_owned(), "unicodePwd".to_owned())]),
    };
    let clock = ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap());
    Decoder::new(kind, names, Arc::new(clock))
}

type Attributes<'a> = &'a [(&'a str, &'a [&'a [u8]])];

fn read(decoder: &Decoder, attributes: Attributes<'_>) -> Result<User, DirectoryError> {
    let entry = Raw::made("cn=x", attributes);
    decoder.id(&entry).and_then(|id| decoder.user(id, &entry))
}

fn works(kind: Kind, more: Attributes<'_>) -> Result<bool, DirectoryError> {
    let guid: &[u8] = b"0123456789abcdef";
    let mut all: Vec<(&str, &[&[u8]])> = vec![("ID", &[]), ("UID", &[b"alice"])];
    all[0].1 = std::slice::from_ref(&guid);
    all.extend(more);
    read(&decoder(kind, None), &all).map(|user| user.is_active())
}

#[test]
fn who_is_locked_is_inactive() {
    assert_eq!(works(Kind::OpenLdap, &[]), Ok(true));
    assert_eq!(works(Kind::OpenLdap, &[("pwdAccountLockedTime", &[b"000001010000Z"])]), Ok(false));
    assert_eq!(works(Kind::Ds389, &[]), Ok(true));
    for (value, active) in [("true", false), ("TRUE", false), ("false", true), ("False", true), ("perhaps", false)] {
        assert_eq!(works(Kind::Ds389, &[("nsaccountlock", &[value.as_bytes()])]), Ok(active), "{value}");
    }
    assert!(works(Kind::Ds389, &[("nsAccountLock", &[b"false", b"true"])]).is_err());
}

#[test]
fn accounts_of_active_directory_are_disabled_or_expire() {
    let ad = |control: &str, expires: &str| {
        let (control, expires) = (control.as_bytes(), expires.as_bytes());
        works(Kind::ActiveDirectory, &[("userAccountControl", &[control]), ("accountExpires", &[expires])])
    };
    for never in ["0", "9223372036854775807"] {
        assert_eq!((ad("512", never), ad("514", never), ad("66050", never)), (Ok(true), Ok(false), Ok(false)));
    }
    // 2026-11-21T12:00:00Z, to the second, is 134397360000000000.
    assert_eq!((ad("512", "134397360000000000"), ad("512", "134397360010000000")), (Ok(false), Ok(true)));
    // What can't be read isn't taken for granted.
    assert!(works(Kind::ActiveDirectory, &[("userAccountControl", &[b"512"])]).is_err());
    assert!(works(Kind::ActiveDirectory, &[("accountExpires", &[b"0"])]).is_err());
    assert!(works(Kind::ActiveDirectory, &[]).is_err());
    assert!(ad("", "0").is_err() && ad("512", "soon").is_err());
}

#[test]
fn what_is_not_one_text_is_no_user() {
    let d = decoder(Kind::OpenLdap, Some("employeeType"));
    let whole: Attributes<'_> = &[("id", &[b"a"]), ("uid", &[b"alice"]), ("employeeType", &[b"x"])];
    assert_eq!(read(&d, whole).unwrap().user_type.as_deref(), Some("x"));
    let wrong: &[Attributes<'_>] = &[
        &[("uid", &[b"alice"])],
        &[("id", &[b"a", b"b"]), ("uid", &[b"alice"])],
        &[("id", &[b"\xff"]), ("uid", &[b"alice"])],
        &[("id", &[b"a\n"]), ("uid", &[b"alice"])],
        &[("id", &[b""]), ("uid", &[b"alice"])],
        &[("id", &[b"a"])],
        &[("id", &[b"a"]), ("uid", &[b"alice", b"al"])],
        &[("id", &[b"a"]), ("uid", &[b"\xc3"])],
        &[("id", &[b"a"]), ("uid", &[b"alice"]), ("employeeType", &[b"x", b"y"])],
    ];
    for attributes in wrong {
        assert!(matches!(read(&d, attributes), Err(DirectoryError::Garbled(_))), "{attributes:?}");
    }
    // A GUID has 16 bytes.
    let d = decoder(Kind::ActiveDirectory, None);
    assert!(d.id(&Raw::made("cn=x", &[("id", &[b"short"])])).is_err());
}

#[test]
fn passwords_are_not_asked_for() {
    let asked = decoder(Kind::OpenLdap, None).attributes();
    assert_eq!(asked, ["agents", "id", "mail", "pwdAccountLockedTime", "uid"]);
    let entry = Raw::made("cn=x", &[("mail", &[b"a@b"]), ("unicodePwd", &[b"secret"])]);
    assert_eq!(decoder(Kind::OpenLdap, None).profile(&entry).len(), 1);
}

#[test]
fn agents_are_exact_and_listed_once() {
    let read = |values: &[&[u8]]| agents(&values.iter().map(|value| value.to_vec()).collect::<Vec<_>>());
    let texts = |agents: Vec<UserId>| agents.into_iter().map(String::from).collect::<Vec<_>>();
    assert_eq!(texts(read(&[b"b", b"a", b"B", b"b"]).unwrap()), ["b", "a", "B"]);
    for wrong in [&b"\xff"[..], b"", b"a\0", &[b'a'; 257]] {
        assert!(read(&[b"b", wrong]).is_err());
    }
    let many: Vec<Vec<u8>> = (0..=MOST_AGENTS).map(|n| n.to_string().into_bytes()).collect();
    assert!(agents(&many).is_err() && agents(&many[1..]).is_ok());
}

#[test]
fn parts_of_lists_are_told() {
    let range = |name: &str| {
        let entry = Raw::made("cn=x", &[("agents", &[]), (name, &[b"v"])]);
        entry.range("Agents").map(|(values, next)| (values.len(), next))
    };
    assert_eq!(range("agents;range=0-1499"), Some((1, Some(1500))));
    assert_eq!(range("AGENTS;Range=1500-*"), Some((1, None)));
    for other in [
        "agents",
        "agents;binary",
        "agents;range=0",
        "agents;range=0-x",
        "member;range=0-1",
        "agents;range=0-18446744073709551615",
    ] {
        assert_eq!(range(other), None, "{other}");
    }
}
