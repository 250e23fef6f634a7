//! In which line of the file a key stands.

use std::collections::HashMap;

use toml::de::{DeTable, DeValue};

/// The lines of a file's keys. Keys are named as mistakes name them: `tenants.default.rules[0].name`.
#[derive(Debug, Default)]
pub(super) struct Lines {
    file: String,
    of: HashMap<String, usize>,
}

impl Lines {
    /// Finds every key of a TOML text. One that can't be read has none: that it can't is the mistake to tell of.
    pub(super) fn of(file: String, text: &str) -> Self {
        let mut lines = Self { file, of: HashMap::new() };
        if let Ok(table) = DeTable::parse(text) {
            lines.table("", table.get_ref(), &Newlines::of(text));
        }
        lines
    }

    /// `file:line` of this key or, where it is missing, of the table that lacks it.
    pub(super) fn find(&self, key: &str) -> Option<String> {
        let mut at = key;
        loop {
            if let Some(line) = self.of.get(at) {
                return Some(format!("{}:{line}", self.file));
            }
            at = &at[..at.rfind(['.', '['])?];
        }
    }

    fn table(&mut self, path: &str, table: &DeTable<'_>, newlines: &Newlines) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            self.of.insert(path.clone(), newlines.line_at(key.span().start));
            self.value(&path, value.get_ref(), newlines);
        }
    }

    fn value(&mut self, path: &str, value: &DeValue<'_>, newlines: &Newlines) {
        match value {
            DeValue::Table(table) => self.table(path, table, newlines),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    self.of.insert(path.clone(), newlines.line_at(item.span().start));
                    self.value(&path, item.get_ref(), newlines);
                }
            }
            _ => {}
        }
    }
}

/// Where the lines of a text end.
struct Newlines(Vec<usize>);

impl Newlines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter_map(|(at, byte)| (byte == b'\n').then_some(at)).collect())
    }

    fn line_at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "bind = \"x\"\n\n[tenants.default]\nissuer = \"y\"\nhook.secret = \"z\"\n\n\
        [[tenants.default.rules]]\nname = \"one\"\nwhen = { clients = [\n  \"a\",\n  \"b\" ] }\n\
        [[tenants.default.rules]]\nname = \"two\"\n[tenants.default.rules.when]\nscopes = []\n";

    #[test]
    fn every_key_has_its_line() {
        let lines = Lines::of("f.toml".to_owned(), FILE);
        for (key, line) in [
            ("bind", 1),
            ("tenants.default.issuer", 4),
            ("tenants.default.hook.secret", 5),
            ("tenants.default.rules[0]", 7),
            ("tenants.default.rules[0].name", 8),
            ("tenants.default.rules[0].when.clients", 9),
            ("tenants.default.rules[0].when.clients[1]", 11),
            ("tenants.default.rules[1]", 12),
            ("tenants.default.rules[1].when", 14),
            ("tenants.default.rules[1].when.scopes", 15),
        ] {
            assert_eq!(lines.find(key), Some(format!("f.toml:{line}")), "{key}");
        }
    }

    #[test]
    fn what_is_missing_has_the_line_of_its_table() {
        let lines = Lines::of("f.toml".to_owned(), FILE);
        assert_eq!(lines.find("tenants.default.rules[1].approval.quorum").as_deref(), Some("f.toml:12"));
        assert_eq!(lines.find("nobody").as_deref(), None);
        assert_eq!(Lines::of("f.toml".to_owned(), "a = [").find("a"), None);
    }
}
