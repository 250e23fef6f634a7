use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::domain::{
    ids::GroupId,
    shared_account::{DirectLogin, SharedAccount},
};

/// 32 and 33 bytes.
const KEYS: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\nMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYx\n";

fn read(value: &Value) -> (Read<Vec<Arc<Application>>>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("keys"), KEYS).unwrap();
    std::fs::write(dir.path().join("short"), "c2hvcnQ=").unwrap();
    let shared = SharedAccounts::new(
        [SharedAccount {
            id: UserId::parse("00udba").unwrap(),
            group: GroupId::parse("g").unwrap(),
            hold: SignedDuration::from_mins(5),
            max_hold: SignedDuration::from_mins(5),
            direct_login: DirectLogin::Claim,
            pool: None,
            show_holder: false,
        }],
        1,
    );
    let mut found = Findings::default();
    let all = Applications { dir: dir.path(), shared: Some(&shared) };
    let read = all.read("tenants.x.applications", value, &mut found);
    (read, found.mistakes.iter().map(ToString::to_string).collect())
}

fn whole() -> Value {
    json!({"uri": "https://erp.example.com", "keys_file": "keys", "may": ["approvals", "lock_check", "otp"],
           "accounts": ["00udba"], "approval": {"type": "approve", "approvers": ["group:ops"]}})
}

#[test]
fn a_whole_application_is_read() {
    let (read, said) = read(&json!([whole()]));
    let application = read.unwrap().remove(0);
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(application.uri.as_str(), "https://erp.example.com");
    assert_eq!(application.keys.iter().map(|key| key.expose().len()).collect::<Vec<_>>(), [32, 33]);
    assert_eq!(application.may.len(), 3);
    assert!(application.approval.is_some() && application.accounts.len() == 1);
    assert!(!format!("{application:?}").contains("48, 49"), "a key is shown");
}

#[test]
fn every_fault_is_named_with_its_application_and_key() {
    let cases = [
        (json!({"uri": "a b"}), "key `uri`", "holds a space"),
        (json!({"uri": ""}), "key `uri`", "must not be empty"),
        (json!({"keys_file": "none"}), "(\"https://erp.example.com\"), key `keys_file`", "can't be read"),
        (json!({"keys_file": "short"}), "key `keys_file`", "wrong size"),
        (json!({"may": []}), "key `may`", "allows nothing"),
        (json!({"may": ["vote"]}), "key `may`", "is unknown"),
        (json!({"may": ["approvals", "lock_check"]}), "key `accounts`", "means nothing without `otp`"),
        (json!({"may": ["otp"]}), "key `approval`", "means nothing without `approvals`"),
        (json!({"accounts": ["00uann"]}), "key `accounts`", "is no shared account"),
        (json!({"approval": {"type": "approve", "approvers": []}}), "key `approvers`", "names nobody"),
        (json!({"key": "x"}), "key `key`", "is unknown"),
    ];
    for (with, place, what) in cases {
        let mut application = whole();
        application.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        let (read, said) = read(&json!([application]));
        assert!(read.is_err() && said.len() == 1, "{with}: {said:?}");
        assert!(said[0].contains(place) && said[0].contains(what), "{with}: {said:?}");
    }
}

#[test]
fn what_a_right_needs_must_be_there() {
    for (key, right) in [("accounts", "otp"), ("approval", "approvals")] {
        let mut application = whole();
        application.as_object_mut().unwrap().remove(key);
        let (read, said) = read(&json!([application]));
        assert!(read.is_err() && said[0].contains(&format!("is missing beside `{right}`")), "{said:?}");
    }
}

#[test]
fn an_application_is_there_once() {
    let (read, said) = read(&json!([whole(), whole()]));
    assert!(read.is_err() && said[0].contains("there already"), "{said:?}");
}
