//! The raw material: variables, `.env`, the file. Nothing is understood here yet.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{
    lines::Lines,
    mistakes::{Findings, fault},
    parse,
    reread::ConfigFile,
    settings::{self, Setting},
};

/// Everything that a configuration is made of.
pub(super) struct Sources {
    /// Variables that concern us, none of them empty.
    pub(super) vars: BTreeMap<String, String>,
    /// The file's content; empty without a file.
    pub(super) file: Map<String, Value>,
    /// Where it was read, and the hash of what was there.
    pub(super) read: Option<ConfigFile>,
    /// Where relative paths begin.
    pub(super) dir: PathBuf,
    /// `BEHALF_ENV=development`.
    pub(super) development: bool,
}

impl Sources {
    /// Collects them; what can't be read is a mistake and counts as not given.
    /// `content`, if it is given, stands for that of the file.
    pub(super) fn gather(
        vars: impl Iterator<Item = (OsString, OsString)>,
        dir: &Path,
        content: Option<&[u8]>,
        found: &mut Findings,
    ) -> Self {
        let mut vars = ours(vars, found);
        let env = vars.get(settings::ENV.env).map_or(settings::ENV.default, String::as_str);
        let development = match parse::choice(&[("production", false), ("development", true)])(env) {
            Ok(development) => development,
            Err(fault) => {
                found.mistake(settings::ENV.env, fault);
                false
            }
        };
        if development {
            add_dot_env(&mut vars, &dir.join(".env"), found);
        }
        let (file, read) = read_file(vars.get(settings::CONFIG.env), dir, content, found);
        Self { vars, file, read, dir: dir.to_owned(), development }
    }

    /// The value under a dotted key.
    pub(super) fn in_file(&self, key: &str) -> Option<&Value> {
        let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
        rest.into_iter().flat_map(|rest| rest.split('.')).try_fold(self.file.get(first)?, |at, part| at.get(part))
    }

    /// The variables by which `setting` is given, and whether they name a file.
    pub(super) fn variables(&self, setting: &Setting) -> Vec<(String, bool)> {
        setting.variables().into_iter().filter(|(name, _)| self.vars.contains_key(name)).collect()
    }
}

/// Those that concern us and aren't empty: an empty variable is how many tools say "not set".
fn ours(vars: impl Iterator<Item = (OsString, OsString)>, found: &mut Findings) -> BTreeMap<String, String> {
    let known: Vec<_> = settings::all().flat_map(Setting::variables).map(|(name, _)| name).collect();
    let mut out = BTreeMap::new();
    for (name, value) in vars {
        let Ok(name) = name.into_string() else { continue };
        if value.is_empty() || !(name.starts_with("BEHALF_") || known.contains(&name)) {
            continue;
        }
        match value.into_string() {
            Ok(value) => {
                out.insert(name, value);
            }
            Err(_) => {
                found.mistake(name, fault("is not UTF-8", "encode it as UTF-8"));
            }
        }
    }
    out
}

/// Adds what `.env` says and the environment doesn't. An error of its parser holds the line, secrets included:
/// only the entry's number is told.
fn add_dot_env(vars: &mut BTreeMap<String, String>, path: &Path, found: &mut Findings) {
    let entries = match dotenvy::from_path_iter(path) {
        Ok(entries) => entries,
        Err(e) if e.not_found() => return,
        Err(_) => {
            found.mistake(path.display().to_string(), fault("can't be read", "make it readable, or remove it"));
            return;
        }
    };
    let mut read = Vec::new();
    for (at, entry) in entries.enumerate() {
        if let Ok((name, value)) = entry {
            read.push((name.into(), value.into()));
        } else {
            let place = format!("{}, entry {}", path.display(), at + 1);
            found.mistake(
                place,
                fault("is not of the form `NAME=value`", "correct it; put values with spaces in quotes"),
            );
            break;
        }
    }
    for (name, value) in ours(read.into_iter(), found) {
        vars.entry(name).or_insert(value);
    }
}

fn read_file(
    named: Option<&String>,
    dir: &Path,
    content: Option<&[u8]>,
    found: &mut Findings,
) -> (Map<String, Value>, Option<ConfigFile>) {
    let path = dir.join(named.map_or(settings::CONFIG.default, String::as_str));
    let read = content.map_or_else(|| fs::read(&path), |content| Ok(content.to_owned()));
    let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    let text = match text {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound && named.is_none() => return (Map::new(), None),
        Err(e) => {
            let what = format!("`{}` can't be read ({e})", path.display());
            found.mistake(settings::CONFIG.env, fault(what, "name a TOML file that is there and readable"));
            return (Map::new(), None);
        }
    };
    found.lines = Lines::of(path.display().to_string(), &text);
    let table = parse_toml(&text).unwrap_or_else(|what| {
        found.mistake(path.display().to_string(), fault(what, "correct the TOML"));
        Map::new()
    });
    (table, Some(ConfigFile { sha256: Sha256::digest(text.as_bytes()).into(), path }))
}

fn parse_toml(text: &str) -> Result<Map<String, Value>, String> {
    let source = config::File::from_str(text, config::FileFormat::Toml);
    let read = config::Config::builder().add_source(source).build();
    read.and_then(config::Config::try_deserialize).map_err(|e| without_excerpt(&e.to_string()))
}

/// A TOML parser's message shows the line it stumbled over, which may hold a secret: drop the excerpt, keep where
/// and why.
fn without_excerpt(message: &str) -> String {
    let is_excerpt = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    message.lines().filter(|line| !is_excerpt(line)).map(str::trim).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_the_file_tells_where_but_not_what_stands_there() {
        let said = parse_toml("[tenants.default]\nhook.secret = \"hunter2\nx = 1\n").unwrap_err();
        assert!(said.contains("line 2") && !said.contains("hunter2"), "{said}");
        let said = parse_toml("a = hunter2\n").unwrap_err();
        assert!(said.contains("line 1") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn keys_keep_their_case_and_nest() {
        let table = parse_toml("[a.B]\nc = [1, 'x']\nd = true").unwrap();
        assert_eq!(Value::Object(table), serde_json::json!({"a": {"B": {"c": [1, "x"], "d": true}}}));
    }
}
