use serde_json::json;

use super::*;

const VECTORS: &str = include_str!("../../../../tests/it/fixtures/approval-vectors.json");

fn party(id: &str, login: &str) -> Party {
    serde_json::from_value(json!({"id": id, "login": login})).unwrap()
}

fn strings(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The request of the vectors.
fn request() -> Request {
    Request {
        tenant: TenantName::parse("acme").unwrap(),
        request_id: "req_01JZZZZZZZZZZZZZZZZZZZZZZZ".to_owned(),
        request_version: 3,
        action: Action::Delegation,
        requester: party("00u_requester", "kim@example.com"),
        subject: party("00u_principal", "acmeadmin@example.com"),
        client_id: ClientId::parse("0oa_client").unwrap(),
        issuer: Issuer::parse("https://example.okta.com/oauth2/default").unwrap(),
        scopes: strings(&["files.write", "files.read"]),
        roles: BTreeSet::new(),
        not_before: "2026-01-01T10:00:00Z".parse().unwrap(),
        max_duration_s: 3600,
        uses: 1,
        justification: Some("Restore the March ledger".to_owned()),
        ticket: Some(Ticket { id: "OPS-123".to_owned(), system: Some("jira".to_owned()) }),
        template: TemplateRef {
            id: "tpl_finance".to_owned(),
            version: 7,
            digest: "sha256:43abdb316b4e1e8bcb49518bbbe616a4f55808350db5ba4cf012cdd6cdd3dea7".parse().unwrap(),
        },
        expires_at: "2026-01-01T10:30:00Z".parse().unwrap(),
        application: None,
    }
}

#[test]
fn digest_golden_vectors() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let (text, digest) = request().bind().unwrap();
    assert_eq!(text, vectors["binding_jcs"]);
    assert_eq!(digest.to_string(), format!("sha256:{}", vectors["request_digest_hex"].as_str().unwrap()));
    assert_eq!(Request::read(&text), Ok((request(), digest)));
}

#[test]
fn key_order_and_every_other_spelling_is_refused() {
    let (text, _) = request().bind().unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let mut more = value.clone();
    more["colour"] = json!("red");
    let doubled = text.replacen(r#""uses":1"#, r#""uses":1,"uses":1"#, 1);
    let last = text.replacen(r#","v":1}"#, "}", 1).replacen('{', r#"{"v":1,"#, 1);
    for other in [
        serde_json::to_string_pretty(&value).unwrap(),
        more.to_string(),
        doubled,
        last,
        text.replacen("files.read", r"files\u002eread", 1),
        text.replacen(r#"["files.read","files.write"]"#, r#"["files.write","files.read"]"#, 1),
        text.replacen(r#""typ":"approval-binding""#, r#""typ":"approval-decision""#, 1),
        text.replacen(r#""v":1"#, r#""v":2"#, 1),
        text.replacen(r#""roles":[],"#, "", 1),
        text.replacen("10:30:00Z", "10:30:00.000Z", 1),
        format!("{text} "),
    ] {
        assert_ne!(other, text);
        assert!(matches!(Request::read(&other), Err(BindingError::Form(_))), "{other}");
    }
}

#[test]
fn unicode_nfc_nfd() {
    let composed = Request { justification: Some("Café".to_owned()), ..request() };
    assert!(composed.bind().is_ok());
    let decomposed = Request { justification: Some("Cafe\u{301}".to_owned()), ..request() };
    assert_eq!(decomposed.bind(), Err(BindingError::NotNormalized("justification".to_owned())));
}

#[test]
fn bidi_override() {
    for trick in ["pay \u{202e}001", "a\u{2066}b", "line\nbreak", "nul\0", "zero\u{200b}width", "\u{feff}"] {
        let request = Request { justification: Some(trick.to_owned()), ..request() };
        assert_eq!(request.bind(), Err(BindingError::Deceptive("justification".to_owned())), "{trick:?}");
        let request = Request { scopes: strings(&[trick]), ..self::request() };
        assert_eq!(request.bind(), Err(BindingError::Deceptive("scopes".to_owned())), "{trick:?}");
    }
}

#[test]
fn integer_limits() {
    let most = (1 << 53) - 1;
    assert!(Request { request_version: most, ..request() }.bind().is_ok());
    let over = Request { request_version: most + 1, ..request() };
    assert_eq!(over.bind(), Err(BindingError::Number("request_version".to_owned())));
    let over = Request { max_duration_s: u64::MAX, ..request() };
    assert_eq!(over.bind(), Err(BindingError::Number("max_duration_s".to_owned())));
}

#[test]
fn what_is_not_known_is_left_out() {
    let bare = Request { justification: None, ticket: None, ..request() };
    let (text, digest) = bare.bind().unwrap();
    assert!(!text.contains("justification") && !text.contains("ticket") && !text.contains("null"), "{text}");
    assert_eq!(Request::read(&text), Ok((bare, digest)));
}

#[test]
fn a_request_that_nobody_would_read_is_refused() {
    let scopes = (0..100).map(|n| format!("{n:0>200}")).collect();
    assert_eq!(Request { scopes, ..request() }.bind(), Err(BindingError::TooLong));
}

#[test]
fn every_field_changes_the_digest() {
    let digest = |request: Request| request.bind().unwrap().1;
    let plain = digest(request());
    for other in [
        Request { tenant: TenantName::parse("other").unwrap(), ..request() },
        Request { request_id: "req_2".to_owned(), ..request() },
        Request { request_version: 4, ..request() },
        Request { requester: party("00u_other", "kim@example.com"), ..request() },
        Request { subject: party("00u_principal", "other@example.com"), ..request() },
        Request { client_id: ClientId::parse("other").unwrap(), ..request() },
        Request { issuer: Issuer::parse("https://other").unwrap(), ..request() },
        Request { scopes: strings(&["files.read"]), ..request() },
        Request { roles: strings(&["admin"]), ..request() },
        Request { not_before: "2026-01-01T10:00:00.000001Z".parse().unwrap(), ..request() },
        Request { max_duration_s: 3601, ..request() },
        Request { uses: 2, ..request() },
        Request { justification: None, ..request() },
        Request { ticket: None, ..request() },
        Request { template: TemplateRef { version: 8, ..request().template }, ..request() },
        Request { expires_at: "2026-01-01T10:30:01Z".parse().unwrap(), ..request() },
    ] {
        assert_ne!(digest(other), plain);
    }
}
