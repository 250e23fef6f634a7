//! Okta's search expressions (SCIM filters in Okta's dialect): attribute, operator, JSON literal, joined by `and`/`or`.

use serde_json::Value;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Compare { attribute: String, operator: String, value: Value },
    Present(String),
}

const OPERATORS: [&str; 9] = ["eq", "ne", "sw", "ew", "co", "gt", "ge", "lt", "le"];

/// Reads an expression, or says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Expression, String> {
    let mut rest = Rest(text);
    let expression = rest.any()?;
    rest.spaces();
    if rest.0.is_empty() { Ok(expression) } else { Err(format!("more than an expression: {:?}", rest.0)) }
}

struct Rest<'t>(&'t str);

impl Rest<'_> {
    fn spaces(&mut self) -> bool {
        let before = self.0.len();
        self.0 = self.0.trim_start_matches(' ');
        self.0.len() < before
    }

    fn any(&mut self) -> Result<Expression, String> {
        let mut left = self.all()?;
        while self.word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Expression, String> {
        let mut left = self.one()?;
        while self.word("and") {
            left = Expression::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    /// Takes ` word ` if it stands here.
    fn word(&mut self, word: &str) -> bool {
        let Some(behind) = self.0.strip_prefix(' ') else { return false };
        let behind = behind.trim_start_matches(' ');
        let Some(after) = behind.strip_prefix(word).filter(|after| after.starts_with([' ', '('])) else { return false };
        self.0 = after;
        true
    }

    fn one(&mut self) -> Result<Expression, String> {
        self.spaces();
        if let Some(inner) = self.0.strip_prefix('(') {
            self.0 = inner;
            let expression = self.any()?;
            self.spaces();
            self.0 = self.0.strip_prefix(')').ok_or("a bracket isn't closed")?;
            return Ok(expression);
        }
        let attribute = self.name()?;
        if !self.spaces() {
            return Err(format!("no operator after {attribute}"));
        }
        let operator = self.name()?;
        if operator == "pr" {
            return Ok(Expression::Present(attribute));
        }
        if !OPERATORS.contains(&operator.as_str()) {
            return Err(format!("no operator: {operator}"));
        }
        if !self.spaces() {
            return Err("no value".to_owned());
        }
        let value = self.literal()?;
        Ok(Expression::Compare { attribute, operator, value })
    }

    fn name(&mut self) -> Result<String, String> {
        let end = self.0.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_')).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(end);
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(format!("no name at {:?}", self.0));
        }
        self.0 = rest;
        Ok(name.to_owned())
    }

    fn literal(&mut self) -> Result<Value, String> {
        let mut stream = serde_json::Deserializer::from_str(self.0).into_iter::<Value>();
        let Some(Ok(value @ (Value::String(_) | Value::Bool(_) | Value::Number(_)))) = stream.next() else {
            return Err(format!("no literal at {:?}", self.0));
        };
        self.0 = self.0.get(stream.byte_offset()..).unwrap_or_default();
        if self.0.is_empty() || self.0.starts_with([' ', ')']) {
            Ok(value)
        } else {
            Err(format!("something hangs on a literal: {:?}", self.0))
        }
    }
}

impl Expression {
    /// The attributes that it names.
    pub(crate) fn attributes(&self) -> Vec<&str> {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.attributes().into_iter().chain(right.attributes()).collect()
            }
            Self::Compare { attribute, .. } | Self::Present(attribute) => vec![attribute],
        }
    }

    /// The operators that it uses.
    pub(crate) fn operators(&self) -> Vec<&str> {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.operators().into_iter().chain(right.operators()).collect()
            }
            Self::Compare { operator, .. } => vec![operator],
            Self::Present(_) => vec!["pr"],
        }
    }

    /// Whether it holds, if `value_of` gives an attribute's values. `exact`: letters' case matters.
    pub(crate) fn holds(&self, exact: bool, value_of: &dyn Fn(&str) -> Vec<String>) -> bool {
        match self {
            Self::And(left, right) => left.holds(exact, value_of) && right.holds(exact, value_of),
            Self::Or(left, right) => left.holds(exact, value_of) || right.holds(exact, value_of),
            Self::Present(attribute) => !value_of(attribute).is_empty(),
            Self::Compare { attribute, operator, value } => {
                let plain = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
                let wanted = plain(value.as_str().unwrap_or(&value.to_string()));
                let fits = |have: &String| compare(&plain(have), operator, &wanted);
                value_of(attribute).iter().any(fits)
            }
        }
    }
}

fn compare(have: &str, operator: &str, wanted: &str) -> bool {
    match operator {
        "eq" => have == wanted,
        "ne" => have != wanted,
        "sw" => have.starts_with(wanted),
        "ew" => have.ends_with(wanted),
        "co" => have.contains(wanted),
        "gt" => have > wanted,
        "ge" => have >= wanted,
        "lt" => have < wanted,
        _ => have <= wanted,
    }
}
