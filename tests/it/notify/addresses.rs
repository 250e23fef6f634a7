//! Where webhooks may not lead, and what names that change their addresses gain.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Mutex,
};

use async_trait::async_trait;
use behalf::{
    adapters::notify::guard::Lookup,
    ports::notifier::{Failure, Post, Webhook as _},
};
use jiff::Timestamp;

use super::*;

/// Gives these answers, one after the other, the last one again and again.
struct Names {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: Mutex<usize>,
}

impl Names {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers.iter().map(|list| list.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: Mutex::new(0) })
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        assert_eq!(host, "hook.example.test");
        *self.asked.lock().unwrap() += 1;
        let mut answers = self.answers.lock().unwrap();
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
    }
}

fn named(url: &str, allow_private: bool, names: &Arc<Names>) -> SignedWebhook {
    let key = key_of(SECRET);
    let settings = Settings { url: url.parse().unwrap(), keys: vec![&key], allow_private, ca_file: None };
    SignedWebhook::new(&settings, Arc::clone(names) as _).unwrap()
}

async fn post(webhook: &SignedWebhook) -> Result<(), Failure> {
    webhook.post(Post { id: "ntf_x", at: Timestamp::UNIX_EPOCH, body: "{}" }).await
}

fn port_of(receiver: &Receiver) -> u16 {
    let url: url::Url = receiver.url.parse().unwrap();
    url.port().unwrap()
}

#[actix_web::test]
async fn a_name_of_this_machine_or_its_networks_is_refused_without_a_connection() {
    behalf::adapters::oidc::install_crypto();
    let receiver = Receiver::start();
    let url = format!("https://hook.example.test:{}/", port_of(&receiver));
    for address in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
        let names = Names::new(&[&[address]]);
        assert_eq!(post(&named(&url, false, &names)).await, Err(Failure::passing("address-refused")), "{address}");
        assert_eq!(names.asked(), 1);
    }
    // One bad address among good ones is enough.
    let names = Names::new(&[&["8.8.8.8", "127.0.0.1"]]);
    assert_eq!(post(&named(&url, false, &names)).await, Err(Failure::passing("address-refused")));
    assert_eq!(receiver.seen().len(), 0);
}

/// A name that is public when it is judged and private when it is connected to: there is only one answer, which is both
/// judged and connected to.
#[actix_web::test]
async fn a_name_that_changes_its_address_is_judged_by_the_answer_that_is_used() {
    behalf::adapters::oidc::install_crypto();
    let receiver = Receiver::start();
    // With the first answer nothing is there; the second is never asked for within a try.
    let names = Names::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let open = named(&format!("http://hook.example.test:{}/", port_of(&receiver)), true, &names);
    assert_eq!(post(&open).await, Err(Failure::passing("no-connection")));
    assert_eq!((names.asked(), receiver.seen().len()), (1, 0), "one answer, judged and used");
    assert_eq!(post(&open).await, Ok(()));
    assert_eq!((names.asked(), receiver.seen().len()), (2, 1), "each try asks again: no connection is kept");
    let url = format!("https://hook.example.test:{}/", port_of(&receiver));
    let names = Names::new(&[&["127.0.0.1"]]);
    assert_eq!(post(&named(&url, false, &names)).await, Err(Failure::passing("address-refused")));
    assert_eq!(receiver.seen().len(), 1);
}

#[actix_web::test]
async fn a_redirect_leads_nowhere() {
    let (elsewhere, receiver) = (Receiver::start(), Receiver::start());
    let target: &'static str = Box::leak(elsewhere.url.clone().into_boxed_str());
    for status in [301, 302, 303, 307, 308] {
        receiver.next(status, "location", target);
    }
    let rig = Rig::new(vec![webhook("ops", &receiver.url)]).await;
    rig.act("e1").await;
    rig.make().await;
    for _ in 0..5 {
        assert_eq!(rig.send(0).await, [Outcome::Failed]);
        rig.app.advance(SignedDuration::from_hours(2));
    }
    assert_eq!((receiver.seen().len(), elsewhere.seen().len()), (5, 0));
    assert_eq!(rig.in_state("waiting").await[0].last.as_ref().unwrap().why.as_deref(), Some("redirect"));
}

#[actix_web::test]
async fn without_tls_nobody_is_told_unless_it_is_allowed() {
    let receiver = Receiver::start();
    let address: SocketAddr = format!("127.0.0.1:{}", port_of(&receiver)).parse().unwrap();
    let names = Names::new(&[&["127.0.0.1"]]);
    let closed = named(&format!("http://{address}/"), false, &names);
    assert_eq!(post(&closed).await, Err(Failure::passing("address-refused")));
    assert_eq!((names.asked(), receiver.seen().len()), (0, 0));
}
