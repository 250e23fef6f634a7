//! `[[tenants.<name>.shared_accounts]]`: accounts that are used by reservation, and how many one user may hold.

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use serde_json::Value;

use crate::{
    config::{
        duration::{duration_within, spell},
        mistakes::{Fault, Findings, Read, fault},
        parse,
        reader::Reader,
        settings,
        table::Table,
    },
    domain::{
        ids::{GroupId, IdError, TenantName, UserId},
        shared_account::{DirectLogin, SharedAccount, SharedAccounts},
    },
};

/// The key below the tenant.
pub(in crate::config) const KEY: &str = "shared_accounts";
/// The most accounts of one tenant: their slots are read together.
const MOST: usize = 200;
const LEAST_HOLD: Duration = Duration::from_mins(1);
const MOST_HOLD: Duration = Duration::from_hours(24);
const HOLD: Duration = Duration::from_mins(5);
const MAX_HOLD: Duration = Duration::from_mins(30);

pub(super) fn shared_accounts(name: &TenantName, r: &mut Reader<'_>) -> Read<SharedAccounts> {
    let max_held = r.value(&settings::MAX_HELD, parse::number(1..=20_usize));
    let at = format!("tenants.{name}.{KEY}");
    let accounts = accounts(&at, r.sources.in_file(&at), r.found);
    Ok(SharedAccounts::new(accounts?, max_held?))
}

fn accounts(at: &str, value: Option<&Value>, found: &mut Findings) -> Read<Vec<SharedAccount>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let Value::Array(items) = value else {
        return Err(found.mistake(format!("key `{at}`"), fault("is not a list of tables", format!("write `[[{at}]]`"))));
    };
    if items.len() > MOST {
        let what = format!("has {} accounts", items.len());
        return Err(found.mistake(format!("key `{at}`"), fault(what, format!("give at most {MOST}"))));
    }
    let mut ids = BTreeSet::new();
    let read: Vec<Read<SharedAccount>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let place = format!("{at}[{index}]");
            let account = account(&place, item, found)?;
            if !ids.insert(account.id.clone()) {
                let what = format!("the account `{}` is there already", account.id);
                return Err(found.mistake(place, fault(what, "name every account once")));
            }
            if account.direct_login == DirectLogin::Refuse {
                found.warnings.push(format!(
                    "{place} (\"{}\"): `direct_login = \"refuse\"` is best effort on Okta, which mints the plain token \
                     when a hook is down or late; relying parties must demand the claim all the same",
                    account.id
                ));
            }
            Ok(account)
        })
        .collect();
    read.into_iter().collect()
}

fn account(at: &str, value: &Value, found: &mut Findings) -> Read<SharedAccount> {
    const WAYS: &[(&str, DirectLogin)] = &[("claim", DirectLogin::Claim), ("refuse", DirectLogin::Refuse)];
    let mut table = Table::new(at.to_owned(), value, found)?;
    let id = table.text("id", id_of(UserId::parse));
    let id = table.required("id", id);
    if let Ok(id) = &id {
        table.rename(format!("{at} (\"{id}\")"));
    }
    let group = table.text("group", id_of(GroupId::parse));
    let group = table.required("group", group);
    let holds = holds(&mut table);
    let direct_login = table.text("direct_login", parse::choice(WAYS));
    let pool = table.text("pool", pool);
    let show_holder = table.flag("show_holder");
    table.finish()?;
    let (hold, max_hold) = holds?;
    Ok(SharedAccount {
        id: id?,
        group: group?,
        hold,
        max_hold,
        direct_login: direct_login?.unwrap_or_default(),
        pool: pool?,
        show_holder: show_holder?.unwrap_or(false),
    })
}

/// `max_hold` is never below `hold`: where one alone is given, it moves the other's default.
fn holds(table: &mut Table<'_, '_>) -> Read<(SignedDuration, SignedDuration)> {
    let bounds = || duration_within(LEAST_HOLD..=MOST_HOLD);
    let (hold, max_hold) = (table.text("hold", bounds()), table.text("max_hold", bounds()));
    let (hold, max_hold) = match (hold?, max_hold?) {
        (None, None) => (HOLD, MAX_HOLD),
        (Some(hold), None) => (hold, MAX_HOLD.max(hold)),
        (None, Some(max_hold)) => (HOLD.min(max_hold), max_hold),
        (Some(hold), Some(max_hold)) => (hold, max_hold),
    };
    if max_hold < hold {
        let what = format!("{} is less than `hold`, {}", spell(max_hold), spell(hold));
        return Err(table.wrong("max_hold", fault(what, "give at least as much")));
    }
    let signed = |span| SignedDuration::try_from(span).unwrap_or(crate::domain::shared_account::LEAST_HOLD);
    Ok((signed(hold), signed(max_hold)))
}

fn pool(text: &str) -> Result<String, Fault> {
    let word = parse::word(text)?;
    if word.len() > 64 {
        return Err(fault("is too long", "give at most 64 characters"));
    }
    Ok(word)
}

fn id_of<T>(parse: impl Fn(&str) -> Result<T, IdError>) -> impl Fn(&str) -> Result<T, Fault> {
    move |text| parse(text).map_err(|e| fault(format!("an id {e}"), "give the directory's immutable id"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> (Read<Vec<SharedAccount>>, Vec<String>) {
        let mut found = Findings::default();
        let read = accounts("tenants.x.shared_accounts", Some(value), &mut found);
        (read, found.mistakes.iter().map(ToString::to_string).chain(found.warnings).collect())
    }

    #[test]
    fn a_whole_account_is_read() {
        let (accounts, said) = read(&json!([
            {"id": "00udba", "group": "00g1", "hold": "10m", "max_hold": "1h", "direct_login": "refuse", "pool": "dba",
             "show_holder": true},
            {"id": "00uops", "group": "00g2"},
        ]));
        let minutes = SignedDuration::from_mins;
        let first = SharedAccount {
            id: UserId::parse("00udba").unwrap(),
            group: GroupId::parse("00g1").unwrap(),
            hold: minutes(10),
            max_hold: minutes(60),
            direct_login: DirectLogin::Refuse,
            pool: Some("dba".to_owned()),
            show_holder: true,
        };
        let second = SharedAccount {
            id: UserId::parse("00uops").unwrap(),
            group: GroupId::parse("00g2").unwrap(),
            hold: minutes(5),
            max_hold: minutes(30),
            direct_login: DirectLogin::Claim,
            pool: None,
            show_holder: false,
        };
        assert_eq!(accounts, Ok(vec![first, second]));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("(\"00udba\")") && said[0].contains("best effort"), "{said:?}");
    }

    #[test]
    fn one_bound_alone_moves_the_other() {
        for (with, hold, most) in [(json!({"hold": "2h"}), 120, 120), (json!({"max_hold": "2m"}), 2, 2)] {
            let mut account = json!({"id": "a", "group": "g"});
            account.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
            let account = read(&json!([account])).0.unwrap().remove(0);
            let minutes = SignedDuration::from_mins;
            assert_eq!((account.hold, account.max_hold), (minutes(hold), minutes(most)));
        }
    }

    #[test]
    fn every_fault_is_named_with_its_account_and_key() {
        let cases = [
            (json!({"hold": "59s"}), "(\"a\"), key `hold`", "out of bounds"),
            (json!({"max_hold": "25h"}), "key `max_hold`", "out of bounds"),
            (json!({"hold": "10m", "max_hold": "5m"}), "key `max_hold`", "less than `hold`"),
            (json!({"direct_login": "allow"}), "key `direct_login`", "is unknown"),
            (json!({"group": ""}), "key `group`", "must not be empty"),
            (json!({"group": null}), "key `group`", "is not text"),
            (json!({"pool": "a b"}), "key `pool`", "holds a space"),
            (json!({"pool": "x".repeat(65)}), "key `pool`", "too long"),
            (json!({"show_holder": "yes"}), "key `show_holder`", "neither true nor false"),
            (json!({"shared": true}), "key `shared`", "is unknown"),
        ];
        for (with, place, what) in cases {
            let mut account = json!({"id": "a", "group": "g"});
            account.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
            let (read, said) = read(&json!([account]));
            assert!(read.is_err() && said.len() == 1, "{with}: {said:?}");
            assert!(said[0].contains(place) && said[0].contains(what), "{with}: {said:?}");
        }
        let twice = json!([{"id": "a", "group": "g"}, {"id": "a", "group": "h"}]);
        for (bad, what) in
            [(twice, "there already"), (json!({}), "not a list"), (json!([{"group": "g"}]), "is missing")]
        {
            let (read, said) = read(&bad);
            assert!(read.is_err() && said[0].contains(what), "{bad}: {said:?}");
        }
        let many: Vec<Value> = (0..=MOST).map(|n| json!({"id": n.to_string(), "group": "g"})).collect();
        assert!(read(&Value::Array(many)).1[0].contains("at most 200"));
    }
}
