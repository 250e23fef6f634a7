//! E-mail, through a real server.

use std::path::Path;

use super::*;
use crate::support::{
    mail::{MailServer, PASSWORD, TLS, USER},
    test_app::user,
};

fn over(server: &MailServer, security: Security, trusted: bool, signed_in: bool) -> Outlet {
    behalf::adapters::oidc::install_crypto();
    let ca = format!("{TLS}/ca.pem");
    let smtp = Smtp::new(email::Settings {
        host: "127.0.0.1",
        port: server.port,
        security,
        credentials: signed_in.then(|| (USER.to_owned(), PASSWORD.to_owned())),
        from: "behalf <noreply@example.test>".parse().unwrap(),
        ca_file: trusted.then_some(Path::new(&ca)),
    });
    email_with(smtp.unwrap())
}

async fn told(outlet: Outlet) -> (Rig, Vec<Outcome>) {
    let rig = Rig::new(vec![outlet]).await;
    rig.act("e1").await;
    rig.make().await;
    let outcomes = rig.send(0).await;
    (rig, outcomes)
}

#[actix_web::test]
async fn the_delegator_gets_a_mail_in_our_words() {
    let asked = json!({"user": USER, "password": PASSWORD});
    let Some(server) = MailServer::start_with("starttls", asked).await else { return };
    let (rig, outcomes) = told(over(&server, Security::StartTls, true, true)).await;
    assert_eq!(outcomes, [Outcome::Sent]);
    let taken = server.taken();
    assert_eq!(taken.len(), 1);
    let mail = &taken[0];
    assert_eq!((&mail["tls"], &mail["authenticated"]), (&json!(true), &json!(true)));
    assert_eq!((&mail["from"], &mail["to"]), (&json!("noreply@example.test"), &json!(["bob@example.test"])));
    let data = mail["data"].as_str().unwrap();
    let sent = &rig.in_state("sent").await[0];
    for part in [
        "Subject: [behalf] Somebody acted on your behalf",
        "Somebody acted on your behalf.",
        "\"ann@example.test\" (id \"00uann\")",
        "Auto-Submitted: auto-generated",
        &format!("Message-ID: <{}@example.test>", sent.id()),
        &format!("https://people.example.test/behalf/events/{}", sent.facts.event.as_str()),
    ] {
        // Long lines are folded, or end with `=`, on their way.
        let plain = data.replace("=\r\n", "").replace("\r\n ", " ");
        assert!(plain.contains(part), "{part} is not in {plain}");
    }
    assert!(!data.contains("dlg_") && !data.contains("text/html"), "{data}");
    assert_eq!(sent.last.as_ref().unwrap().address.as_ref().unwrap().as_str(), "b***@example.test");
}

#[actix_web::test]
async fn tls_from_the_first_byte_works_too() {
    let Some(server) = MailServer::start("implicit").await else { return };
    let (_, outcomes) = told(over(&server, Security::Implicit, true, false)).await;
    assert_eq!((outcomes, server.taken().len()), (vec![Outcome::Sent], 1));
}

#[actix_web::test]
async fn nothing_is_sent_to_a_server_that_nobody_vouches_for_or_that_has_no_tls() {
    for (tls, security) in [("starttls", Security::StartTls), ("implicit", Security::Implicit)] {
        let Some(server) = MailServer::start(tls).await else { return };
        let (_, outcomes) = told(over(&server, security, false, false)).await;
        assert_eq!((outcomes, server.taken().len()), (vec![Outcome::Failed], 0), "{tls}");
    }
    let Some(server) = MailServer::start("none").await else { return };
    for security in [Security::StartTls, Security::Implicit] {
        let (_, outcomes) = told(over(&server, security, true, false)).await;
        assert_eq!((outcomes, server.taken().len()), (vec![Outcome::Failed], 0), "{security:?}");
    }
}

#[actix_web::test]
async fn wrong_credentials_are_tried_again_and_a_refused_address_is_not() {
    let asked = json!({"user": USER, "password": "another"});
    let Some(server) = MailServer::start_with("starttls", asked).await else { return };
    let (rig, outcomes) = told(over(&server, Security::StartTls, true, true)).await;
    assert_eq!((outcomes, server.taken().len()), (vec![Outcome::Failed], 0));
    let why = rig.in_state("waiting").await[0].last.as_ref().unwrap().why.clone();
    assert_eq!(why.as_deref(), Some("smtp-535"));

    let refusing = json!({"refuse": ["451 later", "550 no such person"]});
    let Some(server) = MailServer::start_with("none", refusing).await else { return };
    let (rig, outcomes) = told(email(server.port)).await;
    assert_eq!(outcomes, [Outcome::Failed]);
    rig.app.advance(SignedDuration::from_secs(6));
    assert_eq!(rig.send(0).await, [Outcome::Dead]);
    assert_eq!(rig.coded("DA7002").await[0].outcome.reason.as_deref(), Some("smtp-550"));
}

#[actix_web::test]
async fn an_address_that_holds_a_header_reaches_nobody() {
    let Some(server) = MailServer::start("none").await else { return };
    let rig = Rig::new(vec![email(server.port)]).await;
    let bad = json!({"email": "bob@example.test\r\nBcc: eve@example.test"});
    rig.app.directory.put(user("00ubob", "bob@example.test", &bad));
    rig.act("e1").await;
    rig.make().await;
    assert_eq!(rig.send(0).await, [Outcome::Dead]);
    assert_eq!(server.taken().len(), 0);
}

#[actix_web::test]
async fn a_directory_that_is_away_is_asked_again_and_who_left_is_not_told() {
    let Some(server) = MailServer::start("none").await else { return };
    let rig = Rig::new(vec![email(server.port)]).await;
    rig.act("e1").await;
    rig.act("e2").await;
    rig.make().await;
    rig.app.directory.fail_next();
    let mut outcomes = rig.send(0).await;
    outcomes.sort_by_key(|outcome| outcome.code());
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Sent]);
    rig.app.directory.suspend("00ubob");
    rig.app.advance(SignedDuration::from_secs(6));
    assert_eq!(rig.send(0).await, [Outcome::Unreachable]);
    assert_eq!(server.taken().len(), 1);
}
