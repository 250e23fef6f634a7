//! The codes that the document lists are those that the sources give.

use std::{collections::BTreeSet, fs, path::Path};

use crate::support::document::document;

/// Where codes of problems come from: file, and its functions.
const GIVEN: [(&str, &[&str]); 5] = [
    ("src/web/error.rs", &["    pub fn code(", "fn app_code("]),
    ("src/app/approvals/refused.rs", &["    pub fn code("]),
    ("src/app/keys.rs", &["    pub fn code("]),
    ("src/domain/approval/signature.rs", &["    pub fn code(", "    pub fn public_code("]),
    ("src/domain/reason.rs", &["    pub fn code("]),
];
/// For the audit trail alone: `public_code` of the signature's faults gives others in their place.
const PRIVATE: [&str; 2] = ["challenge-foreign", "authentication-not-fresh"];

/// The texts in the first function of the file that begins so.
fn texts(file: &str, begin: &str) -> BTreeSet<String> {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let at = source.find(begin).unwrap_or_else(|| panic!("{file} has no {begin}"));
    let end = if begin.starts_with(' ') { "\n    }\n" } else { "\n}\n" };
    let body = &source[at..];
    let body = &body[..body.find(end).unwrap()];
    body.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

pub(crate) fn listed() -> BTreeSet<String> {
    let listed = &document()["components"]["schemas"]["Problem"]["properties"]["code"]["x-extensible-enum"];
    listed.as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_document_lists_the_codes_that_there_are() {
    let mut given = BTreeSet::new();
    for (file, functions) in GIVEN {
        for begin in functions {
            let found = texts(file, begin);
            assert!(!found.is_empty(), "{file}: {begin}");
            given.extend(found);
        }
    }
    for code in PRIVATE {
        assert!(given.remove(code), "{code}");
    }
    assert_eq!(listed(), given, "src/web/problem/codes.rs");
}

/// A code that is named beside a status is one that there is.
#[test]
fn descriptions_name_no_other_codes() {
    let listed = listed();
    let mut seen = 0;
    for operation in crate::support::document::operations() {
        for (status, answer) in operation.spec["responses"].as_object().unwrap() {
            if !answer["content"]["application/problem+json"].is_object() {
                continue;
            }
            let words = answer["description"].as_str().unwrap().split('`').skip(1).step_by(2);
            let codes =
                words.filter(|word| word.contains('-') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            for code in codes.filter(|code| *code != "retry-after") {
                assert!(listed.contains(code), "{} {status}: {code}", operation.id());
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
