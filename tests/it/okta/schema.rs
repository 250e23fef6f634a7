//! Requests and answers against Okta's own published schema.

use behalf::{
    domain::{
        claims::ClaimsPolicy,
        hook::{Decision, Effect, OnRefusal, Outcome, RefusalForm},
        reason::Reason,
    },
    ports::dialect::Dialect,
};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::{FIXTURES, answer, decode, fixture, golden_request, okta};

/// One schema of the published components.
fn validator(name: &str) -> Validator {
    let mut schema = fixture("okta-token-hook-schemas.json");
    schema["$ref"] = json!(format!("#/components/schemas/{name}"));
    jsonschema::validator_for(&schema).unwrap()
}

fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| error.to_string()).collect()
}

#[test]
fn the_fixtures_are_requests_that_okta_may_send() {
    let schema = validator("TokenRequest");
    for name in FIXTURES {
        assert_eq!(faults(&schema, &golden_request(name)), Vec::<String>::new(), "{name}");
    }
    let mut wrong = golden_request("refresh");
    wrong["data"]["access"]["token"]["lifetime"]["expiration"] = json!("an hour");
    assert_eq!(faults(&schema, &wrong).len(), 1, "the schema does check");
}

#[test]
fn the_answers_are_ones_that_okta_describes() {
    let schema = validator("TokenHookResponse");
    let valid = |body: &str| {
        assert_eq!(faults(&schema, &serde_json::from_str(body).unwrap()), Vec::<String>::new(), "{body}");
    };
    let answers: Vec<_> = FIXTURES.iter().map(|name| answer(&decode(&golden_request(name)))).collect();
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 6);
    answers.iter().filter(|answer| answer.status == 200).for_each(|answer| valid(&answer.body));

    let mut spoofed = golden_request("refresh");
    spoofed["data"]["access"]["claims"]["on_behalf"] = json!("True");
    let request = decode(&spoofed);
    let patch = ClaimsPolicy::default().stripped(&request).unwrap();
    let decision = Decision {
        outcome: Outcome::Stripped,
        effect: Effect::Patch(patch),
        event: None,
        trace: Vec::new(),
        sealed: None,
    };
    valid(&okta().encode(&request, &decision).body);

    let pass = RefusalForm { on_refused: OnRefusal::Pass, on_failure: OnRefusal::Pass };
    for reason in Reason::ALL {
        for form in [RefusalForm::default(), pass] {
            valid(&okta().encode(&request, &form.refuse(*reason)).body);
        }
    }
    assert_eq!(faults(&schema, &json!({"error": {"errorSummary": 1}})).len(), 1, "the schema does check");
}
