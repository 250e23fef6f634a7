//! The house rules that a compiler doesn't check: who may import whom, how long a file may be, what is not spelled.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Rooms, and the rooms they may import. What is not listed may be imported by all (`metrics`).
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("ports", &["domain"]),
    ("policy", &["ports", "domain"]),
    ("app", &["policy", "ports", "domain"]),
    ("web", &["app", "policy", "ports", "domain"]),
    ("adapters", &["app", "policy", "ports", "domain"]),
    ("config", &["domain", "policy", "ports"]),
];
const WATCHED: &[&str] =
    &["domain", "ports", "policy", "app", "web", "adapters", "config", "boot", "cli", "demo", "lifecycle"];
const WALL: usize = 500;

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn all(dir: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = Vec::new();
    sources(&root.join(dir), &mut out);
    assert!(!out.is_empty());
    out.iter().map(|p| (p.strip_prefix(root).unwrap().display().to_string(), fs::read_to_string(p).unwrap())).collect()
}

/// The room that a source file belongs to: `src/web.rs` and `src/web/…` are `web`.
fn room_of(path: &str) -> &str {
    path.trim_start_matches("src/").split(['/', '.']).next().unwrap()
}

/// Rooms named behind `crate::`, in plain and in grouped imports.
fn imported(source: &str) -> Vec<&str> {
    let code = source.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>();
    let mut found = Vec::new();
    let text = code.join("\n");
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let end = if rest.starts_with('{') {
            rest.find("};").unwrap_or(rest.len())
        } else {
            rest.find([':', ';', ' ', ',']).unwrap_or(rest.len())
        };
        found.extend(WATCHED.iter().filter(|room| names(&rest[..end], room)));
    }
    found
}

fn names(imports: &str, room: &str) -> bool {
    let mut depth = 0;
    let mut word = String::new();
    for c in imports.trim_start_matches('{').chars().chain([',']) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
            _ if depth == 0 => {
                if word == room {
                    return true;
                }
                if c == ',' || c == ';' {
                    word.clear();
                } else if !word.is_empty() {
                    word.push(c);
                }
            }
            _ => {}
        }
        if depth == 0 && c == '}' {
            word.clear();
        }
    }
    false
}

#[test]
fn imports_point_inward() {
    let mut bad = Vec::new();
    for (path, source) in all("src") {
        let room = room_of(&path);
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else { continue };
        for import in imported(&source) {
            if import != room && !allowed.contains(&import) {
                bad.push(format!("{path}: `{room}` must not import `{import}`"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn the_import_reader_sees_every_form() {
    assert_eq!(imported("use crate::web::x;"), ["web"]);
    assert_eq!(imported("use crate::{\n    app::{web, y},\n    domain::ids,\n};"), ["domain", "app"]);
    assert_eq!(imported("let a = crate::boot::run();"), ["boot"]);
    assert_eq!(imported("// use crate::web::x;"), Vec::<&str>::new());
}

#[test]
fn only_the_demo_knows_the_demo() {
    for (path, source) in all("src") {
        let may = ["src/demo", "src/cli", "src/lib.rs"].iter().any(|p| path.starts_with(p));
        assert!(may || !imported(&source).contains(&"demo"), "{path} imports the demo");
    }
}

#[test]
fn no_file_goes_through_the_wall() {
    let long: Vec<_> = ["src", "tests"]
        .iter()
        .flat_map(|dir| all(dir))
        .filter(|(_, source)| source.lines().count() > WALL)
        .map(|(path, source)| format!("{path}: {} lines", source.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn routes_are_registered_where_the_document_sees_them() {
    for (path, source) in all("src") {
        if room_of(&path) == "web" {
            assert!(
                !source.contains(".route("),
                "{path}: `.route(` is left out of the OpenAPI document; use `.service(`"
            );
            assert!(
                !source.contains("web::Path<String>") && !source.contains("web::Path<("),
                "{path}: name the path's parameters in a struct"
            );
        }
    }
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let words = ["todo!(", "unimplemented!(", concat!("FIX", "ME"), concat!("#[", "ignore")];
    for (path, source) in ["src", "tests"].iter().flat_map(|dir| all(dir)) {
        if path.ends_with("architecture.rs") {
            continue;
        }
        for word in words {
            assert!(!source.contains(word), "{path}: {word}");
        }
    }
}

/// Numbers that these declarations give, with the places: `const NAME: TYPE = OPEN<number>`.
fn numbers(declared: &str, named: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, source) in all("src") {
        for line in source.lines() {
            let Some((before, after)) = line.split_once(declared) else { continue };
            let name = before.rsplit(' ').next().unwrap_or_default();
            let number: String = after.chars().take_while(char::is_ascii_digit).collect();
            if before.contains("const ") && named(name) && !number.is_empty() {
                found.push((number, format!("{path}: {name}")));
            }
        }
    }
    found
}

/// A kind whose numbers are in the source is named in messages, and has bodies that must be read for ever.
#[test]
fn every_kind_of_records_has_a_name_and_its_old_bodies() {
    // Bytes as they are: answers to hooks, hashes, leases.
    let without_form = [5, 41, 255];
    let kinds = numbers(": Kind = Kind(", |_| true);
    assert!(kinds.len() >= 20, "{kinds:?}");
    for (number, place) in kinds {
        let kind: u8 = number.parse().unwrap();
        let name = behalf::app::kinds::name(behalf::ports::store::Kind(kind));
        assert_ne!(name, behalf::app::kinds::UNKNOWN, "{place}: name it in src/app/kinds.rs");
        let bodies = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/fixtures/records/{kind}.jsonl"));
        assert!(without_form.contains(&kind) || bodies.exists(), "{place}: {} isn't there", bodies.display());
    }
}

/// Records and index rows of all rooms lie in the same store: a number that is used twice mixes them up.
#[test]
fn no_number_of_records_or_lists_is_used_twice() {
    let kinds = numbers(": Kind = Kind(", |_| true);
    let lists = numbers(": u8 = ", |name| name.starts_with("LIST_") || name.starts_with("BY_"));
    assert!(kinds.len() >= 11 && lists.len() >= 7, "{kinds:?} {lists:?}");
    for numbers in [kinds, lists] {
        let mut seen = std::collections::BTreeMap::new();
        for (number, place) in numbers {
            let other = seen.insert(number.clone(), place.clone());
            assert_eq!(other, None, "{number} is used by {place}, too");
        }
    }
}
