//! The filter language of RFC 7644, figure 1, read to the letter, and what it means (3.4.2.2) as far as the fake needs it.

use serde_json::Value;

/// A filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    Present(Path),
    Compare(Path, String, Value),
    /// `path[filter]`.
    Values(Path, Box<Filter>),
    Not(Box<Filter>),
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
}

/// `[URI ":"] ATTRNAME *1subAttr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) urn: Option<String>,
    pub(super) name: String,
    pub(super) sub: Option<String>,
}

/// The `path` of a PATCH operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) path: Path,
    pub(super) filter: Option<Filter>,
}

const OPERATORS: &[&str] = &["eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"];

/// `None`: the text is no filter.
pub(super) fn filter(text: &str) -> Option<Filter> {
    let mut reader = Reader { rest: text };
    let filter = reader.or(true)?;
    reader.rest.is_empty().then_some(filter)
}

/// `None`: the text is no path.
pub(super) fn target(text: &str) -> Option<Target> {
    let mut reader = Reader { rest: text };
    let path = reader.path()?;
    if reader.rest.is_empty() {
        return Some(Target { path, filter: None });
    }
    let filter = reader.bracketed()?;
    reader.rest.is_empty().then_some(Target { path, filter: Some(filter) })
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn or(&mut self, outer: bool) -> Option<Filter> {
        let mut left = self.and(outer)?;
        while self.word(" or ") {
            left = Filter::Or(Box::new(left), Box::new(self.and(outer)?));
        }
        Some(left)
    }

    fn and(&mut self, outer: bool) -> Option<Filter> {
        let mut left = self.one(outer)?;
        while self.word(" and ") {
            left = Filter::And(Box::new(left), Box::new(self.one(outer)?));
        }
        Some(left)
    }

    /// Value paths stand in the outer filter only.
    fn one(&mut self, outer: bool) -> Option<Filter> {
        let not = self.word("not ") || self.word("not");
        if self.word("(") {
            let inner = self.or(outer)?;
            self.word(")").then_some(())?;
            return Some(if not { Filter::Not(Box::new(inner)) } else { inner });
        }
        if not {
            return None;
        }
        let path = self.path()?;
        if outer && self.rest.starts_with('[') {
            return Some(Filter::Values(path, Box::new(self.bracketed()?)));
        }
        if self.word(" pr") {
            return Some(Filter::Present(path));
        }
        let operator = OPERATORS.iter().find(|operator| self.word(&format!(" {operator} ")))?;
        Some(Filter::Compare(path, (*operator).to_owned(), self.value()?))
    }

    fn bracketed(&mut self) -> Option<Filter> {
        self.word("[").then_some(())?;
        let filter = self.or(false)?;
        self.word("]").then_some(filter)
    }

    fn path(&mut self) -> Option<Path> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '$');
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (path, rest) = self.rest.split_at(end);
        let (urn, last) = match path.rsplit_once(':') {
            Some((urn, last)) if urn.starts_with("urn:") => (Some(urn.to_owned()), last),
            Some(_) => return None,
            None => (None, path),
        };
        let (name, sub) = match last.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (last, None),
        };
        for name in [Some(name), sub].into_iter().flatten() {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(fits) {
                return None;
            }
        }
        self.rest = rest;
        Some(Path { urn, name: name.to_owned(), sub: sub.map(str::to_owned) })
    }

    /// A JSON literal (RFC 7159), but no object and no array.
    fn value(&mut self) -> Option<Value> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        let value = values.next()?.ok()?;
        let end = values.byte_offset();
        if value.is_array() || value.is_object() || self.rest.starts_with(char::is_whitespace) {
            return None;
        }
        self.rest = &self.rest[end..];
        Some(value)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.rest.strip_prefix(word);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }
}

impl Filter {
    /// Whether the resource matches; `None`: the fake doesn't know this kind of filter.
    pub(super) fn matches(&self, resource: &Value, loose: bool) -> Option<bool> {
        match self {
            Self::Compare(path, operator, Value::String(value)) if operator == "eq" => {
                let same = |text: &str| text == value || (loose && text.to_lowercase() == value.to_lowercase());
                Some(path.values(resource).iter().any(|found| found.as_str().is_some_and(same)))
            }
            Self::Values(path, inner) => path
                .values(resource)
                .into_iter()
                .map(|item| inner.matches(item, loose))
                .try_fold(false, |any, one| Some(any | one?)),
            _ => None,
        }
    }
}

impl Path {
    /// The values there, those of a list one by one.
    pub(super) fn values<'v>(&self, resource: &'v Value) -> Vec<&'v Value> {
        let below = self.urn.as_ref().map_or(resource, |urn| &resource[urn]);
        // A text that is an item of a list is its own `value`.
        if self.name == "value" && below.is_string() {
            return vec![below];
        }
        let items = match &below[&self.name] {
            Value::Null => vec![],
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        };
        match &self.sub {
            None => items,
            Some(sub) => items.into_iter().map(|item| &item[sub]).filter(|value| !value.is_null()).collect(),
        }
    }
}
