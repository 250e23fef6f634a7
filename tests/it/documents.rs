//! What the documents name is there: tests, files, links. A document that nobody checks is wrong within a month.

use std::{collections::BTreeSet, fs, path::Path};

const SECURITY: &str = include_str!("../../SECURITY.md");
const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");
const README: &str = include_str!("../../README.md");
const DIRECTORIES: &str = include_str!("../../DIRECTORIES.md");

/// The documents of `docs/`: path, content.
fn docs() -> Vec<(String, String)> {
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).unwrap();
    let names = folder.map(|entry| format!("docs/{}", entry.unwrap().file_name().display()));
    names.map(|name| (name.clone(), source(&name).unwrap())).collect()
}

/// Said of a case that has no test.
const UNSHOWN: &str = "no test shows";

fn source(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// What stands between backticks, outside of blocks of code.
fn quoted(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.lines().flat_map(|line| line.split('`').skip(1).step_by(2))).collect()
}

/// Tests as they are cited: `path.rs::name`.
fn cited(text: &str) -> Vec<(&str, &str)> {
    quoted(text).into_iter().filter_map(|word| word.split_once(".rs::")).collect()
}

/// Whether the file has a test of that name. Cases of a contract are tests by being on its list.
fn is_test(path: &str, name: &str) -> bool {
    let Some(text) = source(&format!("{path}.rs")) else { return false };
    let lines: Vec<&str> = text.lines().collect();
    let Some(at) = lines.iter().position(|line| line.contains(&format!("fn {name}("))) else { return false };
    let above = lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with("#["));
    let room = path.strip_prefix("tests/it/contract/stores/");
    let listed = room.is_some_and(|room| {
        source("tests/it/contract/stores.rs").is_some_and(|suite| suite.contains(&format!(" {room}::{name},")))
    });
    listed || above.into_iter().any(|line| line.contains("test]") || line.contains("test("))
}

/// Sections under headings of this level: title, content.
fn sections<'t>(text: &'t str, level: &str) -> Vec<(&'t str, &'t str)> {
    let begin = format!("\n{level} ");
    let parts = text.split(begin.as_str()).skip(1).filter_map(|part| part.split_once('\n'));
    parts.map(|(title, rest)| (title, rest.split("\n## ").next().unwrap_or_default())).collect()
}

#[test]
fn every_test_that_the_documents_cite_exists() {
    for (document, text, least) in [("SECURITY.md", SECURITY, 80), ("CONTRIBUTING.md", CONTRIBUTING, 10)] {
        let cited: BTreeSet<_> = cited(text).into_iter().collect();
        let missing: Vec<_> = cited.iter().filter(|(path, name)| !is_test(path, name)).collect();
        assert!(missing.is_empty(), "{document} cites what is no test: {missing:#?}");
        assert!(cited.len() >= least, "{document}: the reader of this test finds only {} tests", cited.len());
    }
}

#[test]
fn what_is_no_test_is_seen() {
    assert!(is_test("tests/it/documents", "what_is_no_test_is_seen"));
    assert!(is_test("tests/it/contract/stores/times", "time_never_runs_back"));
    for (path, name) in [
        ("tests/it/documents", "is_test"),
        ("tests/it/documents", "no_such_name"),
        ("tests/it/no_such_file", "what_is_no_test_is_seen"),
        ("tests/it/contract/stores/times", "tenant"),
    ] {
        assert!(!is_test(path, name), "{path} {name}");
    }
}

#[test]
fn every_case_of_the_threat_model_says_what_shows_it() {
    let cases = sections(SECURITY, "###");
    assert!(cases.len() >= 20, "{}", cases.len());
    for (title, case) in cases {
        let shown = !cited(case).is_empty() || case.to_lowercase().contains(UNSHOWN);
        assert!(shown, "{title}: name a test, or say that {UNSHOWN} it");
    }
}

#[test]
fn every_recipe_ends_with_its_files_and_its_tests() {
    let recipes: Vec<_> =
        sections(CONTRIBUTING, "###").into_iter().filter(|(title, _)| title.starts_with('A')).collect();
    assert!(recipes.len() >= 7, "{recipes:?}");
    for (title, recipe) in recipes {
        assert!(recipe.contains("**Files:**"), "{title}");
        assert!(recipe.contains("**Fails until it is done:**") && !cited(recipe).is_empty(), "{title}");
    }
}

/// Names with a placeholder (`<idp>`, `…`, `*`) are left out.
#[test]
fn every_file_that_the_documents_name_exists() {
    let rooms = ["src/", "tests/", "openapi/", "benches/", "examples/"];
    let docs = docs();
    for text in [SECURITY, CONTRIBUTING, README].into_iter().chain(docs.iter().map(|(_, text)| text.as_str())) {
        let names = quoted(text).into_iter().filter(|word| rooms.iter().any(|room| word.starts_with(room)));
        for name in names.filter(|word| !word.contains(['<', '…', '*', ' '])) {
            let path = name.split("::").next().unwrap_or_default();
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{name}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let roots = [
        ("SECURITY.md", SECURITY),
        ("CONTRIBUTING.md", CONTRIBUTING),
        ("README.md", README),
        ("DIRECTORIES.md", DIRECTORIES),
    ];
    let roots = roots.map(|(name, text)| (name.to_owned(), text.to_owned()));
    for (document, text) in roots.into_iter().chain(docs()) {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
            let target = if file.is_empty() { text.clone() } else { target(folder, file) };
            assert!(!target.is_empty(), "{document}: {link}");
            assert!(anchor.is_empty() || target.lines().any(|line| slug(line) == anchor), "{document}: {link}");
        }
    }
}

/// What the file holds that a document in this folder names; of a folder, its name.
fn target(folder: &str, file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(file);
    if path.is_dir() { file.to_owned() } else { fs::read_to_string(path).unwrap_or_default() }
}

/// A heading's anchor.
fn slug(line: &str) -> String {
    let title = line.trim_start_matches('#');
    if title.len() == line.len() {
        return String::new();
    }
    let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn the_readme_leads_to_them() {
    let docs = docs();
    assert!(docs.len() > 5, "{}", docs.len());
    let names = ["SECURITY.md", "CONTRIBUTING.md", "DIRECTORIES.md"].into_iter();
    for name in names.chain(docs.iter().map(|(name, _)| name.as_str())) {
        assert!(README.contains(&format!("]({name})")), "{name}");
    }
}
