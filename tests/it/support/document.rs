//! The API document as a contract: whatever a test gets for an answer has to be declared there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
};

use behalf::web::{openapi, problem::codes::CODES};
use jsonschema::Validator;
use serde_json::{Value, json};

/// The members of a path item that are operations.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One operation of the document.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) path: &'static str,
    /// Upper case.
    pub(crate) method: &'static str,
    pub(crate) spec: &'static Value,
}

/// The document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::from_str(&openapi::json()).unwrap())
}

/// Every operation.
pub(crate) fn operations() -> Vec<Operation> {
    static OPERATIONS: OnceLock<Vec<Operation>> = OnceLock::new();
    OPERATIONS.get_or_init(read_operations).clone()
}

fn read_operations() -> Vec<Operation> {
    let paths = document()["paths"].as_object().unwrap();
    let of_path = |(path, item): (&'static String, &'static Value)| {
        METHODS.into_iter().filter_map(move |name| {
            let method = name.to_uppercase().leak();
            item.get(name).map(|spec| Operation { path, method, spec })
        })
    };
    paths.iter().flat_map(of_path).collect()
}

/// What a `$ref` points to; anything else is itself.
pub(crate) fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => document().pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

impl Operation {
    pub(crate) fn id(&self) -> &'static str {
        self.spec["operationId"].as_str().unwrap_or_default()
    }

    pub(crate) fn has_tag(&self, tag: &str) -> bool {
        self.spec["tags"].as_array().is_some_and(|tags| tags.iter().any(|t| t == tag))
    }

    /// True if one of its security requirements is this scheme.
    pub(crate) fn is_secured_by(&self, scheme: &str) -> bool {
        self.spec["security"].as_array().is_some_and(|all| all.iter().any(|one| one.get(scheme).is_some()))
    }

    /// An example of its JSON body.
    pub(crate) fn body(&self) -> Option<Value> {
        let media = self.spec["requestBody"]["content"].get("application/json")?;
        Some(example(media).unwrap_or_else(|| panic!("{} has no example of its body", self.id())))
    }

    /// Its path with examples for parameters.
    pub(crate) fn concrete_path(&self) -> String {
        let parameters = self.spec["parameters"].as_array().into_iter().flatten();
        parameters.filter(|p| p["in"] == "path").fold(self.path.to_owned(), |path, p| {
            path.replace(&format!("{{{}}}", p["name"].as_str().unwrap()), p["example"].as_str().unwrap())
        })
    }

    fn is_at(&self, path: &str) -> bool {
        let (mine, theirs): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        mine.len() == theirs.len()
            && mine.iter().zip(&theirs).all(|(m, t)| m == t || m.starts_with('{') && !t.is_empty())
    }
}

/// The example of a media type: its own, or its schema's.
pub(crate) fn example(media: &'static Value) -> Option<Value> {
    let own = media.get("example").or_else(|| media["examples"].as_object()?.values().next()?.get("value"));
    own.or_else(|| resolve(&media["schema"]).get("example")).cloned()
}

/// Faults of `body` against a schema of the document.
pub(crate) fn faults(schema: &Value, body: &Value) -> Vec<String> {
    static VALIDATORS: OnceLock<Mutex<HashMap<String, Arc<Validator>>>> = OnceLock::new();
    let mut validators = VALIDATORS.get_or_init(Mutex::default).lock().unwrap();
    let build = || {
        let mut whole = schema.clone();
        whole["components"] = document()["components"].clone();
        Arc::new(jsonschema::validator_for(&whole).unwrap())
    };
    let validator = Arc::clone(validators.entry(schema.to_string()).or_insert_with(build));
    drop(validators);
    validator.iter_errors(body).map(|fault| format!("{fault} at {}", fault.instance_path())).collect()
}

/// Panics if the document doesn't declare this answer. Paths and methods that it doesn't have are 404 or 405.
pub(crate) fn check(method: &str, path: &str, status: u16, content_type: Option<&str>, body: &[u8]) {
    let what = format!("{method} {path} -> {status}");
    let bare = path.strip_prefix("/t/").and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or(path);
    let mounted = |o: &Operation| bare == path || o.spec.get("servers").is_none();
    let mut here = operations().into_iter().filter(|o| o.method == method && o.is_at(bare) && mounted(o));
    // A path without parameters comes first: `/v1/grants/delegators` is no agent.
    let Some(operation) = here.by_ref().min_by_key(|o| o.path.matches('{').count()) else {
        assert!(matches!(status, 404 | 405) || bare.starts_with("/docs"), "{what} is not in the document");
        return;
    };
    let answer = &operation.spec["responses"][status.to_string()];
    assert!(answer.is_object(), "{what}: the document has no such answer of {}", operation.id());
    let Some(content) = resolve(answer)["content"].as_object() else {
        assert!(body.is_empty(), "{what}: the document says that the body is empty");
        return;
    };
    let media = content_type.and_then(|t| t.split(';').next()).unwrap_or_default();
    let declared = content.get(media).unwrap_or_else(|| panic!("{what}: `{media}` is not declared"));
    if media.ends_with("json") {
        let json: Value = serde_json::from_slice(body).unwrap();
        let schema = declared.get("schema").cloned().unwrap_or(json!({}));
        assert_eq!(faults(&schema, &json), Vec::<String>::new(), "{what}: {json}");
        if media == "application/problem+json" {
            assert!(
                json["code"].as_str().is_some_and(|code| CODES.contains(&code)),
                "{what}: {json} has a code of its own"
            );
        }
    }
}
