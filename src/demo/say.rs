//! How the demo speaks.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Prints a line.
#[expect(clippy::print_stdout, reason = "the demo is read by a person on standard output")]
pub(super) fn say(text: &str) {
    println!("{text}");
}

/// A chapter's heading.
pub(super) fn chapter(title: &str) {
    say(&format!("\n── {title} {}", "─".repeat(76usize.saturating_sub(title.chars().count()))));
}

/// Claims of a token, one per line.
pub(super) fn claims(claims: &Map<String, Value>) {
    for (name, value) in claims {
        say(&format!("      {name:<18} {}", short(value, 60)));
    }
}

/// Two tokens side by side: `+` new, `~` changed, `-` gone. What differs in every token is left out.
pub(super) fn compare(before: &Map<String, Value>, after: &Map<String, Value>) {
    say(&format!("        {:<16} {:<34} {}", "claim", "before", "after"));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        if ["jti", "iat", "exp"].contains(&name.as_str()) {
            continue;
        }
        let (old, new) = (before.get(name), after.get(name));
        let mark = match (old, new) {
            (None, _) => '+',
            (_, None) => '-',
            (old, new) if old != new => '~',
            _ => ' ',
        };
        let show = |value: Option<&Value>| value.map(|v| short(v, 32)).unwrap_or_default();
        say(&format!("      {mark} {name:<16} {:<34} {}", show(old), show(new)));
    }
}

/// A value's JSON, cut off where it gets long.
pub(super) fn short(value: &Value, most: usize) -> String {
    let text = value.to_string();
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A text with its long ids cut down to their beginning and end. (The end tells ids of one moment apart.)
pub(super) fn brief(text: &str) -> String {
    text.split_inclusive(['/', '?', '&', '=', ' ', '"']).map(brief_word).collect()
}

fn brief_word(word: &str) -> String {
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let (id, rest) = word.split_at(word.find(|c| !is_id(c)).unwrap_or(word.len()));
    if id.len() <= 24 {
        return word.to_owned();
    }
    format!("{}…{}{rest}", &id[..4], &id[id.len() - 6..])
}

/// A long text in lines that end behind commas; put together they are the text, to the byte.
pub(super) fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split_inclusive(',') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + part.chars().count() <= width => line.push_str(part),
            _ => lines.push(part.to_owned()),
        }
    }
    lines
}

/// A step that must have done what it says.
pub(super) fn demand(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("this does not hold: {what}")) }
}
