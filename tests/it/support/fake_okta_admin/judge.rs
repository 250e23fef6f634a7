//! Okta's published schemas of what may be sent.

use std::{collections::HashMap, fs, path::Path};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::answer::{Refusal, invalid};

const SCHEMAS: [&str; 8] = [
    "UserType",
    "UserSchema",
    "InlineHookCreate",
    "InlineHookReplace",
    "OAuth2Claim",
    "OAuth2Scope",
    "AuthorizationServerPolicy",
    "AuthorizationServerPolicyRuleRequest",
];

/// Holds bodies against them. What a schema doesn't name may not be sent.
pub(super) struct Judge(HashMap<&'static str, Validator>);

impl Judge {
    pub(super) fn new() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/okta-management-schemas.json");
        let schemas: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let validator = |name| {
            let mut schema = schemas.clone();
            schema["$ref"] = json!(format!("#/components/schemas/{name}"));
            schema["unevaluatedProperties"] = json!(false);
            (name, jsonschema::validator_for(&schema).unwrap())
        };
        Self(SCHEMAS.into_iter().map(validator).collect())
    }

    pub(super) fn check(&self, schema: &'static str, body: &Value) -> Result<(), Refusal> {
        let faults: Vec<_> = self.0[schema].iter_errors(body).map(|error| error.to_string()).collect();
        if faults.is_empty() { Ok(()) } else { Err(invalid(format!("{schema}: {}", faults.join("; ")))) }
    }
}

#[test]
fn it_does_judge() {
    let judge = Judge::new();
    assert!(judge.check("UserType", &json!({"name": "a", "displayName": "A"})).is_ok());
    for wrong in [
        json!({"name": "a"}),
        json!({"name": 1, "displayName": "A"}),
        json!({"name": "a", "displayName": "A",
        "id": "oty1"}),
        json!({"name": "a", "displayName": "A", "more": 1}),
    ] {
        assert!(judge.check("UserType", &wrong).is_err(), "{wrong}");
    }
    let deep = json!({"name": "h", "type": "com.okta.oauth2.tokens.transform", "channel": {"type": "HTTP", "config":
        {"uri": 7}}});
    assert!(judge.check("InlineHookCreate", &deep).is_err());
    let rule = json!({"name": "r", "type": "RESOURCE_ACCESS"});
    assert!(judge.check("AuthorizationServerPolicyRuleRequest", &rule).is_err(), "no conditions");
}
