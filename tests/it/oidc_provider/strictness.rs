//! The provider's harness is as strict as Okta: else the tests with it would prove little.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::peer::Provider;

/// Status and body; `None`: silence.
type Reply = Option<(u16, String)>;

/// A hook that gives one answer after the other, or none, and counts.
struct Hook {
    url: String,
    answer: Arc<Mutex<Reply>>,
    asked: Arc<Mutex<usize>>,
}

impl Hook {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (answer, asked) = (Arc::new(Mutex::new(Reply::None)), Arc::new(Mutex::new(0)));
        let (to_give, counted) = (Arc::clone(&answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(reply(stream, Arc::clone(&to_give), Arc::clone(&counted)));
            }
        });
        Self { url, answer, asked }
    }
}

async fn reply(mut stream: TcpStream, to_give: Arc<Mutex<Reply>>, counted: Arc<Mutex<usize>>) {
    let mut request = vec![0; 65536];
    if stream.read(&mut request).await.unwrap_or(0) == 0 {
        return;
    }
    *counted.lock().unwrap() += 1;
    let Some((status, body)) = to_give.lock().unwrap().clone() else {
        // Silence: until the other side hangs up.
        while stream.read(&mut request).await.unwrap_or(0) > 0 {}
        return;
    };
    let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

fn patch(token: &str, operations: &Value) -> Value {
    json!({"commands": [{"type": format!("com.okta.{token}.patch"), "value": operations}]})
}

/// Answers of which nothing may come, whatever else is in them.
fn void() -> Vec<Value> {
    let good = json!({"op": "add", "path": "/claims/on_behalf", "value": "True"});
    let bad = [
        json!({"op": "replace", "path": "/claims/absent", "value": "x"}),
        json!({"op": "remove", "path": "/claims/absent"}),
        json!({"op": "move", "path": "/claims/department", "value": "x"}),
        json!({"op": "add", "path": "/scopes/x", "value": "x"}),
        json!({"op": "add", "path": "claims/x", "value": "x"}),
        json!({"op": "replace", "path": "/claims/sub", "value": "00u2bob"}),
        json!({"op": "replace", "path": "/token/lifetime/expiration", "value": 299}),
    ];
    let mut answers: Vec<Value> = bad.iter().map(|bad| patch("access", &json!([good, bad]))).collect();
    answers.push(json!({"commands": [{"type": "com.okta.access.patch", "value": [good]}, {"type": "com.okta.other"}]}));
    answers
}

#[tokio::test]
async fn one_bad_command_voids_all_and_what_is_no_200_is_ignored() {
    let Some(mut provider) = Provider::start().await else { return };
    let hook = Hook::start().await;
    provider.set_hook(&hook.url, "secret").await;
    let give = |status: u16, body: &Value| *hook.answer.lock().unwrap() = Some((status, body.to_string()));
    let good = patch("access", &json!([{"op": "add", "path": "/claims/on_behalf", "value": "True"}]));
    give(200, &good);
    let mut session = provider.sign_in("ann@example.test", "s").await.unwrap();
    let mut outcomes = vec![provider.calls().await.pop().unwrap()["outcome"].clone()];
    for (status, answer) in
        void().into_iter().map(|answer| (200, answer)).chain([(204, json!("")), (500, good.clone()), (201, good)])
    {
        give(status, &answer);
        session = provider.refresh(&session, "", None).await.unwrap();
        assert!(!on_behalf(&session.access), "{status} {answer}");
        outcomes.push(provider.calls().await.pop().unwrap()["outcome"].clone());
    }
    let kinds: Vec<_> = outcomes.iter().map(|o| o.as_str().unwrap().split(':').next().unwrap()).collect();
    let expected = [["applied"].as_slice(), &["void"; 8], &["failed"; 3]].concat();
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn a_patch_for_a_token_that_is_not_minted_voids_all() {
    let Some(mut provider) = Provider::start().await else { return };
    let session = provider.sign_in("ann@example.test", "s").await.unwrap();
    let hook = Hook::start().await;
    provider.set_hook(&hook.url, "secret").await;
    let mut both = patch("access", &json!([{"op": "add", "path": "/claims/on_behalf", "value": "True"}]));
    let identity = patch("identity", &json!([{"op": "add", "path": "/claims/on_behalf_sub", "value": "x"}]));
    both["commands"].as_array_mut().unwrap().push(identity["commands"][0].clone());
    *hook.answer.lock().unwrap() = Some((200, both.to_string()));
    let with_id_token = provider.refresh(&session, "", None).await.unwrap();
    assert!(on_behalf(&with_id_token.access), "good where both tokens are minted");
    let without = provider.refresh_scope(&with_id_token, "behalf").await.unwrap();
    assert!(without.identity.is_none() && !on_behalf(&without.access));
}

#[tokio::test]
async fn a_hook_that_does_not_answer_is_asked_once() {
    let Some(mut provider) = Provider::start().await else { return };
    let session = provider.sign_in("ann@example.test", "s").await.unwrap();
    let hook = Hook::start().await;
    provider.set_hook(&hook.url, "secret").await;
    let plain = provider.refresh(&session, "", None).await.unwrap();
    assert!(!on_behalf(&plain.access));
    assert_eq!(*hook.asked.lock().unwrap(), 1);
    let outcome = provider.calls().await.pop().unwrap()["outcome"].clone();
    assert!(outcome.as_str().unwrap().starts_with("failed"), "{outcome}");
}

fn on_behalf(token: &str) -> bool {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["on_behalf"] == "True"
}
