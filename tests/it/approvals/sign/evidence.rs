//! What an outsider is given, and what he can do with it.

use std::{fs, sync::Arc};

use behalf::{
    adapters::{audit::signing::SigningKey, system::OsEntropy},
    app::sealer::Sealer,
    domain::ids::TenantName,
    ports::signer::Signer as _,
};
use serde_json::{Value, json};

use super::client::*;
use crate::{
    approvals::rig::path,
    support::{
        process::{behalf, run},
        test_app::TestApp,
    },
};

/// A request that Ada signed with her key and Ben with his name, and her key's name.
async fn decided(app: &TestApp) -> (Value, String) {
    let key = enrolled(app, "ada", Signer::p256()).await;
    let mut two = signing();
    two.quorum = 2;
    let id = asked(app, two).await;
    let given = challenge(app, id, "ada", "approve").await;
    vote_signed(app, id, "ada", "approve", &key.answer(&given)).await;
    let given = challenge(app, id, "ben", "approve").await;
    let done = vote_signed(app, id, "ben", "approve", &typed(&given, "Ben Žižka")).await;
    assert_eq!(done.json["state"], "APPROVED", "{}", done.text);
    let evidence = app.get(&path(id, "/evidence"), "ann").await;
    assert_eq!(evidence.status, 200, "{}", evidence.text);
    (evidence.json, key.kid)
}

async fn service_keys(app: &TestApp) -> Value {
    let answer = app.send(app.request(reqwest::Method::GET, "/.well-known/behalf-keys.json")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

#[actix_web::test]
async fn evidence_is_verified_offline_by_the_command() {
    let app = app().await;
    let (evidence, kid) = decided(&app).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &Value| {
        let path = folder.path().join(name);
        fs::write(&path, content.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (good, jwks) = (file("good.json", &evidence), file("jwks.json", &service_keys(&app).await));
    let verify = async |more: &[&str]| {
        let arguments = [&["approval", "verify"], more].concat();
        run(&mut behalf(folder.path(), &arguments)).await
    };
    let known = format!("00uada={kid}");
    let whole = verify(&[&good, "--jwks", &jwks, "--approver", &known]).await;
    assert_eq!(whole.code, Some(0), "{whole:?}");
    for part in
        ["OK: apr_", "00uann", "2 said yes, 2 were needed", "nobody without it could make this", "typed his name"]
    {
        assert!(whole.out.contains(part), "{part}: {}", whole.out);
    }
    let bare = verify(&[&good]).await;
    assert_eq!(bare.code, Some(0), "{bare:?}");
    assert!(bare.out.contains("give --jwks") && bare.out.contains("give --approver 00uada="), "{}", bare.out);

    let mut changed = evidence.clone();
    changed["binding"] = json!(changed["binding"].as_str().unwrap().replace("invoices", "everything"));
    let mut forged = evidence.clone();
    forged["votes"][0]["choice"] = json!("deny");
    let stranger = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": Signer::ed25519().jwk["x"]}]});
    let (changed, forged) = (file("changed.json", &changed), file("forged.json", &forged));
    let stranger = file("stranger.json", &stranger);
    let other = format!("00uada={}", Signer::p256().kid);
    for (arguments, what) in [
        (vec![changed.as_str()], "the request's digest is not the document's"),
        (vec![&forged], "the vote of 00uada: what was signed is not the statement"),
        (vec![&good, "--jwks", &stranger], "which is not known"),
        (vec![&good, "--approver", &other], "which is none of those that are known of him"),
    ] {
        let bad = verify(&arguments).await;
        assert_eq!(bad.code, Some(1), "{bad:?}");
        assert!(bad.err.contains("BAD: ") && bad.err.contains(what), "{what}: {}", bad.err);
    }
    let garbage = folder.path().join("garbage");
    fs::write(&garbage, "{").unwrap();
    let garbage = garbage.to_str().unwrap().to_owned();
    for arguments in
        [vec!["none.json"], vec![garbage.as_str()], vec![&good, "--jwks", &garbage], vec![&good, "--approver", "x"]]
    {
        let failed = verify(&arguments).await;
        assert_eq!(failed.code, Some(2), "{arguments:?}: {failed:?}");
    }
}

#[actix_web::test]
async fn evidence_is_for_those_who_see_the_approval() {
    let app = app().await;
    let id = asked(&app, signing()).await;
    for token in ["ann", "bob", "ada", "root"] {
        assert_eq!(app.get(&path(id, "/evidence"), token).await.status, 200, "{token}");
    }
    app.get(&path(id, "/evidence"), "eve").await.is_problem(404, "not-found");
    app.get(&format!("/t/acme{}", path(id, "/evidence")), "root").await.is_problem(404, "not-found");
    app.get("/v1/approvals/apr_x/evidence", "root").await.is_problem(404, "not-found");
}

#[actix_web::test]
async fn every_decision_has_the_services_signature() {
    let app = app().await;
    let id = asked(&app, unsigned()).await;
    vote(&app, id, "ada", "deny").await;
    let evidence = app.get(&path(id, "/evidence"), "ann").await.json;
    assert_eq!(evidence["state"], "DENIED");
    assert!(evidence["votes"][0]["countersignature"].is_string(), "{evidence}");
    let trust = behalf::domain::approval::verify::Trust::default();
    let report = behalf::domain::approval::verify::verify(&evidence.to_string(), &trust).unwrap();
    let voted = app.events().await.into_iter().find(|event| event.code == "DA2001").unwrap();
    assert_eq!(report.votes[0].event, voted.id.as_str());
}

#[actix_web::test]
async fn the_services_keys_are_open_and_go_back_to_the_first() {
    let app = app().await;
    let default = TenantName::default_tenant();
    let own = app.services.signing.signer().public_key();
    let next = SigningKey::ephemeral(&OsEntropy).unwrap().public_key();
    // Another key signed before this process's own.
    let former = Arc::new(SigningKey::ephemeral(&OsEntropy).unwrap());
    Sealer::new(Arc::clone(&former) as _, None, &OsEntropy).announce(&app.services, &default).await.unwrap();
    let keys = service_keys(&app).await;
    let kids: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids, [former.public_key().id().to_string(), own.id().to_string()]);
    assert!(!keys.to_string().contains(&next.to_string()));
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["alg"]), (&json!("OKP"), &json!("EdDSA")));
    let acme = app.send(app.request(reqwest::Method::GET, "/t/acme/.well-known/behalf-keys.json")).await;
    assert_eq!(acme.json["keys"].as_array().unwrap().len(), 1, "the record is the tenant's own");
    let none = app.send(app.request(reqwest::Method::GET, "/t/nobody/.well-known/behalf-keys.json")).await;
    none.is_problem(404, "not-found");
}
