//! Wrong credentials, wrong addresses, wrong arguments: nothing is changed, and what to do is said.

use super::*;
use crate::support::fake_okta_admin::Fault;

#[tokio::test]
async fn a_wrong_token_is_told_at_once() {
    let rig = Rig::start();
    for arguments in [&[][..], &["--verify"], &["--dry-run"]] {
        let ended = rig.run_with(arguments, &[("TOKEN", "00wrong")]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("doesn't accept the credentials (401: E0000011"), "{}", ended.err);
        assert!(!ended.err.contains("00wrong"), "{}", ended.err);
    }
    assert_eq!(rig.okta.writes().len(), 0);
}

#[tokio::test]
async fn an_address_where_nobody_or_somebody_else_answers_is_told() {
    let rig = Rig::start();
    let ended = rig.run_with(&[], &[("TENANT", "http://127.0.0.1:1")]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("can't be read"), "{}", ended.err);
    for fault in [Fault::Garbage, Fault::Drop, Fault::Status(503), Fault::Status(301), Fault::Status(404)] {
        rig.okta.fail_next([fault.clone()]);
        let ended = rig.run(&["--verify"]).await;
        assert_eq!(ended.code, Some(2), "{fault:?}: {ended:?}");
        assert!(ended.err.contains("the authorization server `default` can't be read"), "{fault:?}: {}", ended.err);
    }
    for nonsense in
        ["https://org-admin.okta.com", "http://org.okta.com", "https://user:pw@org.okta.com", "ftp://org.okta.com"]
    {
        let ended = rig.run_with(&[], &[("TENANT", nonsense)]).await;
        assert_eq!(ended.code, Some(2), "{nonsense}: {ended:?}");
        assert!(ended.err.contains("TENANT"), "{nonsense}: {}", ended.err);
    }
}

#[tokio::test]
async fn a_page_that_is_somewhere_else_is_not_followed() {
    let rig = Rig::start();
    rig.okta.set(|state| state.next_page_at = Some("https://elsewhere.example.com".to_owned()));
    let ended = rig.run(&[]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("scopes can't be read: the next page"), "{}", ended.err);
    assert_eq!(rig.okta.writes().len(), 0);
}

#[tokio::test]
async fn an_issuer_that_runs_no_hooks_is_told() {
    let rig = Rig::start();
    for issuer in [rig.okta.url.clone(), format!("{}/oauth2", rig.okta.url), format!("{}/oauth2/a/b", rig.okta.url)] {
        let ended = rig.run_with(&[], &[("BEHALF_ISSUER", &issuer)]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("isn't that of a custom authorization server"), "{}", ended.err);
    }
    let ended = rig.run_with(&[], &[("BEHALF_ISSUER", &format!("{}/oauth2/aus404", rig.okta.url))]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("`aus404` can't be read: Okta has none (404: E0000007"), "{}", ended.err);
    let named = rig.run(&["--server", "default", "--dry-run"]).await;
    assert_eq!(named.code, Some(0), "{named:?}");
}

#[tokio::test]
async fn settings_that_are_missing_are_all_named() {
    let rig = Rig::start();
    let none = [("TENANT", ""), ("TOKEN", ""), ("BEHALF_ISSUER", "")];
    let ended = rig.run_with(&[], &none).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for name in ["TENANT", "TOKEN", "BEHALF_ISSUER"] {
        assert!(ended.err.lines().any(|line| line.contains(name)), "{name}: {}", ended.err);
    }
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    let rig = Rig::start();
    let cases: [(&[&str], &str); 5] = [
        (&["--address", "http://behalf.example.com"], "https only"),
        (&["--client", "ALL_CLIENTS"], "no client id"),
        (&["--verify", "--fix"], "cannot be used with"),
        (&["--verify", "--dry-run"], "cannot be used with"),
        (&["--tenant", "No Tenant"], "--tenant"),
    ];
    for (arguments, why) in cases {
        let address: &[&str] = if arguments[0] == "--address" { &[] } else { &["--address", ADDRESS] };
        let all = [&["setup", "okta"], address, arguments];
        let ended = run(&mut behalf(rig.path(), &all.concat())).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains(why), "{why}: {}", ended.err);
    }
    let both = rig.run_with(&["--every-user"], &[("BEHALF_DELEGATED_USER_TYPE_ID", "oty0")]).await;
    assert!(both.code == Some(2) && both.err.contains("contradict"), "{both:?}");
    assert_eq!(rig.okta.writes().len(), 0);
}
