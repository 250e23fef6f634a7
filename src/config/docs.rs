//! The table of settings as documents.

use std::fmt::Write as _;

use super::settings::{SECTIONS, Scope, Setting};

/// The content of `.env.example`: every variable, commented out, with its default and its meaning.
pub fn env_example() -> String {
    let mut out = String::from(
        "# Every variable that behalf reads. What is commented out shows the default.\n\
         # An empty variable counts as not set. A secret NAME can be given as NAME_FILE, a file that holds it.\n\
         # behalf reads this file as `.env` only where BEHALF_ENV=development is set outside of it.\n",
    );
    for section in SECTIONS {
        let _ = write!(out, "\n## {}\n", section.title);
        for setting in section.settings {
            let _ = write!(out, "\n# {}{}\n#{}={}\n", setting.meaning, notes(setting), setting.env, setting.default);
        }
    }
    out
}

/// The table of `docs/configuration.md`.
pub fn markdown_table() -> String {
    let mut out = String::from("| variable | key in `behalf.toml` | default | meaning |\n|---|---|---|---|\n");
    for section in SECTIONS {
        let _ = writeln!(out, "| **{}** | | | |", section.title);
        for setting in section.settings {
            let old = setting.old.map(|old| format!("<br>`{old}`")).unwrap_or_default();
            let (key, default) = (code(&documented_key(setting)), code(setting.default));
            let meaning = setting.meaning.replace('|', "\\|");
            let _ = writeln!(out, "| `{}`{old} | {key} | {default} | {meaning} |", setting.env);
        }
    }
    out
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

fn documented_key(setting: &Setting) -> String {
    match setting.scope {
        Scope::Process => setting.key.to_owned(),
        Scope::Tenant => setting.full_key("default"),
    }
}

fn notes(setting: &Setting) -> String {
    let key = documented_key(setting);
    let key = (!key.is_empty()).then(|| format!("key {key}"));
    let old = setting.old.map(|old| format!("old name {old}"));
    let file = setting.secret.then(|| format!("secret: or {}_FILE", setting.env));
    let notes: Vec<_> = [key, old, file].into_iter().flatten().collect();
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) }
}
