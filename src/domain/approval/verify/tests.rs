use std::collections::BTreeSet;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::domain::{
    approval::{
        Approval, ApprovalId, Asked, Ballot, Opening, Template, Voter,
        challenge::Challenge,
        evidence::ServiceKeys,
        request::{Action, TemplateRef},
        signature::Nonce,
        template::Approver,
    },
    bytes,
    chain::{PublicKey, Signature},
    ids::{ClientId, Issuer, Login, TenantName},
    user::{Status, User},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn raw(seed: u8) -> PublicKey {
    PublicKey(pair(seed).public_key().as_ref().try_into().unwrap())
}

fn party(id: &str) -> Party {
    Party { id: UserId::parse(id).unwrap(), login: Login::parse(&format!("{id}@example.test")).unwrap() }
}

fn tenant() -> TenantName {
    TenantName::parse("acme").unwrap()
}

fn template() -> Template {
    let approvers = ["user:ada", "user:ben"].iter().map(|text| text.parse::<Approver>().unwrap()).collect();
    Template { quorum: 2, ..Template::new(Kind::SignAndApprove, approvers) }
}

fn open(template: Template) -> Approval {
    let id = ApprovalId::mint(at(0), [3; 16]);
    let asked = Asked {
        requester: party("kim"),
        delegator: party("bob"),
        client: ClientId::parse("app").unwrap(),
        issuer: Issuer::parse("https://issuer.test").unwrap(),
        scopes: ["files.read".to_owned()].into(),
        reason: Some("the March ledger".to_owned()),
        ticket: None,
        application: None,
    };
    let request = Request {
        tenant: tenant(),
        request_id: id.to_string(),
        request_version: 1,
        action: Action::Delegation,
        requester: asked.requester.clone(),
        subject: asked.delegator.clone(),
        client_id: asked.client.clone(),
        issuer: asked.issuer.clone(),
        scopes: asked.scopes.clone(),
        roles: BTreeSet::new(),
        not_before: at(0),
        max_duration_s: 3600,
        uses: 1,
        justification: asked.reason.clone(),
        ticket: None,
        template: TemplateRef { id: "finance".to_owned(), version: 1, digest: template.digest() },
        expires_at: at(3600),
        application: None,
    };
    let (binding, _) = request.bind().unwrap();
    Approval::open(Opening { id, asked, rule: "finance".to_owned(), template, binding, epoch: 1 }, at(0))
}

/// A vote by the key of that seed, with the service's signature.
fn by_key(approval: Approval, who: &str, seed: u8, choice: Choice, second: i64) -> Approval {
    let by = party(who);
    let challenge = Challenge::new(by.id.clone(), &approval, choice, at(second));
    let (nonce, id) = (Nonce([seed; 32]), approval.id.to_string());
    let payload = challenge.statement(&nonce, &id).payload().unwrap();
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": bytes::text(&raw(seed).0)});
    let key = Jwk::parse(&key).unwrap();
    let header = json!({"alg": "EdDSA", "kid": key.kid(), "typ": "approval+jws"}).to_string();
    let header = URL_SAFE_NO_PAD.encode(header);
    let signature = pair(seed).sign(format!("{header}.{}", URL_SAFE_NO_PAD.encode(&payload)).as_bytes());
    let jws = format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    let signed = Signed::Jws { nonce, kid: key.kid(), key, registered: at(-9), payload, jws };
    voted(approval, by, choice, signed, second + 10)
}

fn by_name(approval: Approval, who: &str, second: i64) -> Approval {
    let signed = Signed::Typed {
        nonce: Nonce([9; 32]),
        digest: approval.digest,
        name: "Ben Example".to_owned(),
        meaning: meaning(Choice::Approve).to_owned(),
        auth_time: at(second - 100),
        amr: vec!["pwd".to_owned()],
    };
    voted(approval, party(who), Choice::Approve, signed, second)
}

fn voted(approval: Approval, by: Party, choice: Choice, signed: Signed, second: i64) -> Approval {
    let Party { id, login } = by;
    let (caller, groups) = (id.clone(), BTreeSet::new());
    let user = User { id, login, status: Status::Active, user_type: None, profile: [].into() };
    let voter = Voter { caller: &caller, user: &user, groups: &groups, is_shared: false };
    let ballot = Ballot { choice, version: 1, comment: None, signed: Some(signed) };
    let counted = approval.vote(&voter, ballot, at(second)).unwrap();
    let sign = |input: &[u8]| Signature(pair(200).sign(input).as_ref().try_into().unwrap());
    counted.countersigned(&tenant(), "evt_1", &raw(200), sign).unwrap()
}

fn approved() -> Approval {
    by_name(by_key(open(template()), "ada", 1, Choice::Approve, 10), "ben", 200)
}

fn document(approval: &Approval) -> Value {
    let keys = ServiceKeys { keys: vec![(&raw(200)).into()] };
    serde_json::to_value(Evidence::of(&tenant(), approval, keys).unwrap()).unwrap()
}

fn ask(document: &Value) -> Result<Report, Wrong> {
    verify(&document.to_string(), &Trust::default())
}

fn vote_is(document: &Value, wrong: &WrongVote) -> bool {
    matches!(ask(document), Err(Wrong::Vote(_, what)) if what == *wrong)
}

#[test]
fn evidence_that_holds_says_who_decided_and_how() {
    let report = ask(&document(&approved())).unwrap();
    assert_eq!(report.outcome, Outcome::Approved { votes: 2, quorum: 2 });
    assert_eq!(report.request.justification.as_deref(), Some("the March ledger"));
    let levels: Vec<_> = report.votes.iter().map(|vote| vote.level).collect();
    assert_eq!(levels, [Some(SignatureLevel::Jws), Some(SignatureLevel::Typed)]);
    assert!(report.own_word && report.votes.iter().all(|vote| vote.named && vote.event == "evt_1"));
    let denied = ask(&document(&by_key(open(template()), "ada", 1, Choice::Deny, 10))).unwrap();
    assert_eq!(denied.outcome, Outcome::Denied);
    assert_eq!(ask(&document(&open(template()))).unwrap().outcome, Outcome::Undecided);
    let emergency = open(template()).break_glass("the plant is on fire".to_owned(), at(20)).unwrap();
    assert_eq!(ask(&document(&emergency)).unwrap().outcome, Outcome::BreakGlass);
}

#[test]
fn keys_from_elsewhere_are_the_ones_that_count() {
    let document = document(&approved()).to_string();
    let service = |seed| Trust { service: Some(vec![raw(seed)]), ..Trust::default() };
    assert!(!verify(&document, &service(200)).unwrap().own_word);
    let other = verify(&document, &service(201));
    assert!(matches!(other, Err(Wrong::Vote(_, WrongVote::ServiceKey(_)))), "{other:?}");
    let kid = |seed: u8| Jwk::of_service(&raw(seed)).kid();
    let approver = |seed| Trust {
        approvers: [(UserId::parse("ada").unwrap(), BTreeSet::from([kid(seed)]))].into(),
        ..Trust::default()
    };
    assert_eq!(verify(&document, &approver(1)).unwrap().votes[0].key, Some((kid(1), true)));
    assert_eq!(verify(&document, &Trust::default()).unwrap().votes[0].key, Some((kid(1), false)));
    let forged = verify(&document, &approver(2));
    assert_eq!(forged, Err(Wrong::Vote("ada".to_owned(), WrongVote::OtherKey(kid(1)))));
}

/// What the service alone could change: without a change of the approver's own signature it is seen.
#[test]
fn a_service_that_signs_something_else_is_seen() {
    let mut forged = approved();
    let sign = |input: &[u8]| Signature(pair(200).sign(input).as_ref().try_into().unwrap());
    forged.votes.pop();
    forged.votes[0].choice = Choice::Deny;
    let forged = forged.countersigned(&tenant(), "evt_2", &raw(200), sign).unwrap();
    assert!(vote_is(&document(&forged), &WrongVote::Payload));
    // Another request with the same votes.
    let mut moved = approved();
    moved.votes.pop();
    moved.binding = moved.binding.replace("March", "April");
    moved.digest = moved.request_digest();
    let moved = moved.countersigned(&tenant(), "evt_2", &raw(200), sign).unwrap();
    assert!(vote_is(&document(&moved), &WrongVote::Payload));
}

#[test]
fn every_change_of_the_document_is_named() {
    let good = document(&approved());
    let changed = |path: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(path).unwrap() = value;
        assert_ne!(changed, good, "{path}");
        changed
    };
    let binding =
        |from: &str, to: &str| changed("/binding", json!(good["binding"].as_str().unwrap().replace(from, to)));
    let mismatch = |document: &Value, what| assert_eq!(ask(document), Err(Wrong::Mismatch(what)));
    mismatch(&binding("files.read", "files.reae"), "digest");
    mismatch(&changed("/request_digest", json!(format!("sha256:{:064}", 0))), "digest");
    mismatch(&changed("/tenant", json!("other")), "tenant");
    mismatch(&changed("/approval", json!(ApprovalId::mint(at(0), [4; 16]).to_string())), "request_id");
    mismatch(&changed("/version", json!(2)), "request_version");
    mismatch(&changed("/template/quorum", json!(1)), "template");
    assert!(matches!(ask(&binding("{", " {")), Err(Wrong::Binding(_))));
    for (path, value) in [("/typ", json!("other")), ("/v", json!(2)), ("/votes/0/by/extra", json!(1))] {
        let mut other = good.clone();
        let (parent, name) = path.rsplit_once('/').unwrap();
        other.pointer_mut(parent).unwrap()[name] = value;
        assert!(matches!(ask(&other), Err(Wrong::Form(_))), "{path}");
    }
    for state in ["DENIED", "PENDING", "EXPIRED", "approved"] {
        assert!(matches!(ask(&changed("/state", json!(state))), Err(Wrong::State { .. })), "{state}");
    }
    let seal = WrongVote::Countersignature;
    assert!(vote_is(&changed("/votes/1/at", json!("2027-01-15T08:02:59Z")), &seal));
    assert!(vote_is(&changed("/votes/1/signed/name", json!("Eve Example")), &seal));
    assert!(vote_is(&changed("/votes/0/signed/registered", json!("2020-01-01T00:00:00Z")), &seal));
    assert!(vote_is(&changed("/votes/0/countersignature/event", json!("evt_2")), &seal));
    let theirs = good["votes"][1]["countersignature"]["jws"].clone();
    assert!(vote_is(&changed("/votes/0/countersignature/jws", theirs), &seal));
    let approvers = good["votes"][0]["signed"]["jws"].clone();
    let key = |kid: &WrongVote| matches!(kid, WrongVote::ServiceKey(_));
    let by_approver = ask(&changed("/votes/0/countersignature/jws", approvers));
    assert!(matches!(&by_approver, Err(Wrong::Vote(_, what)) if key(what)), "{by_approver:?}");
    assert!(vote_is(&changed("/votes/0/choice", json!("deny")), &WrongVote::Payload));
    assert!(vote_is(&changed("/votes/0/by", json!(party("ben"))), &WrongVote::Payload));
    assert!(vote_is(&changed("/votes/0/by", json!(party("kim"))), &WrongVote::Requester));
    assert!(vote_is(&changed("/votes/0/by", json!(party("bob"))), &WrongVote::Delegator));
    assert!(vote_is(&changed("/votes/0/by", json!(party("eve"))), &WrongVote::NotNamed));
    assert!(vote_is(&changed("/votes/1/by", json!(party("ada"))), &WrongVote::Twice));
    assert!(vote_is(&changed("/votes/1/at", json!("2030-01-01T00:00:00Z")), &WrongVote::Time));
    let old = json!("2020-01-01T00:00:00Z");
    assert!(vote_is(&changed("/votes/1/signed/auth_time", old), &WrongVote::Signature(Fault::NotFresh)));
    let sentence = json!(meaning(Choice::Deny));
    assert!(vote_is(&changed("/votes/1/signed/meaning", sentence), &WrongVote::Signature(Fault::MeaningDiffers)));
    let nonce = json!(bytes::text(&[8; 32]));
    assert!(vote_is(&changed("/votes/0/signed/nonce", nonce), &WrongVote::Payload));
    let jws = good["votes"][0]["signed"]["jws"].as_str().unwrap();
    let (head, _) = jws.rsplit_once('.').unwrap();
    let other = json!(format!("{head}.{}", bytes::text(&[1; 64])));
    assert!(vote_is(&changed("/votes/0/signed/jws", other), &WrongVote::Signature(Fault::Wrong)));
}

#[test]
fn votes_that_are_left_out_or_not_signed_are_missed() {
    let mut lonely = document(&approved());
    lonely["votes"].as_array_mut().unwrap().pop();
    assert!(matches!(ask(&lonely), Err(Wrong::State { .. })));
    let mut bare = document(&approved());
    bare["votes"][0].as_object_mut().unwrap().remove("signed");
    assert!(vote_is(&bare, &WrongVote::Level));
    let mut unsealed = document(&approved());
    unsealed["votes"][1].as_object_mut().unwrap().remove("countersignature");
    assert!(vote_is(&unsealed, &WrongVote::NotCountersigned));
    let doubled = document(&approved()).to_string().replacen(r#""state":"#, r#""state":"DENIED","state":"#, 1);
    assert!(matches!(verify(&doubled, &Trust::default()), Err(Wrong::Form(_))));
}

#[test]
fn a_statement_is_good_for_its_five_minutes_only() {
    let mut late = by_key(open(template()), "ada", 1, Choice::Approve, 10);
    late.votes[0].at = at(311);
    let sign = |input: &[u8]| Signature(pair(200).sign(input).as_ref().try_into().unwrap());
    let late = late.countersigned(&tenant(), "evt_1", &raw(200), sign).unwrap();
    assert!(vote_is(&document(&late), &WrongVote::Statement));
}
