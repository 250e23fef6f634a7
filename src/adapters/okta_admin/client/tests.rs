//! Waiting, what is said.

use reqwest::header::{HeaderMap, HeaderValue};

use super::{
    error::{MOST_CHARS, said},
    *,
};

fn answer(headers: &[(&'static str, &str)], body: &str) -> Answer {
    let pairs = headers
        .iter()
        .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    let mut map = HeaderMap::new();
    pairs.for_each(|(name, value)| {
        map.append(name, value);
    });
    Answer { status: StatusCode::TOO_MANY_REQUESTS, headers: map, body: body.as_bytes().to_vec() }
}

#[test]
fn it_waits_by_oktas_clock() {
    let now = Timestamp::from_second(1_000_000).unwrap();
    let date = ("date", "Sat, 21 Nov 2026 18:00:00 GMT");
    let at = 1_795_284_000;
    for (reset, seconds) in [(at + 20, 21), (at, 1), (at - 50, 1), (at + 4000, 4001)] {
        let told = answer(&[date, ("x-rate-limit-reset", &reset.to_string())], "");
        assert_eq!(wait(&told, now), Duration::from_secs(seconds), "{reset}");
    }
    let by_ours = answer(&[("x-rate-limit-reset", "1000005")], "");
    assert_eq!(wait(&by_ours, now), Duration::from_secs(6));
    for untold in [answer(&[date], ""), answer(&[("x-rate-limit-reset", "soon")], "")] {
        assert_eq!(wait(&untold, now), UNTOLD_WAIT);
    }
}

#[test]
fn what_okta_says_is_one_line_of_bounded_length() {
    let long = "x".repeat(5000);
    let body = serde_json::json!({"errorCode": "E0000001", "errorSummary": "Api validation failed: \u{1b}[31m",
        "errorCauses": [{"errorSummary": "name: taken\nforged line"}, {"errorSummary": long}]});
    let text = said(&answer(&[], &body.to_string())).to_string();
    assert!(
        text.starts_with("429: E0000001; Api validation failed: \u{fffd}[31m; name: taken\u{fffd}forged"),
        "{text}"
    );
    assert!(text.chars().count() < MOST_CHARS + 10);
    assert_eq!(said(&answer(&[], "<html>")).to_string(), "429");
}

#[test]
fn a_secret_that_okta_quotes_is_hidden() {
    let body = serde_json::json!({"errorCode": "E0000001", "errorSummary": "authScheme: `a-secret` is too short"});
    let refused = CallError::Refused(said(&answer(&[], &body.to_string())));
    assert!(refused.to_string().contains("a-secret"));
    let hidden = refused.clone().without("a-secret").to_string();
    assert!(hidden.contains("authScheme: `…` is too short"), "{hidden}");
    assert_eq!(refused.clone().without(""), refused);
}
