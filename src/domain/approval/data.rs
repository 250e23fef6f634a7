//! Data that a person sees and a signature binds to, read from its text: whoever reads that again reads the same.
//!
//! A reader of JSON is free to take the last of two members of one name, and to round numbers. Here neither is taken.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Number, Value, value::RawValue};

use crate::domain::{ids::is_deceptive, text::is_nfc};

/// The most bytes of data, in canonical JSON.
pub const MOST_BYTES: usize = 8 * 1024;
/// The most members of one object or items of one list.
const MOST_MEMBERS: usize = 50;
/// How deep it may be nested.
const MOST_DEPTH: usize = 4;
/// The largest whole number that is nobody else's rounding: 2^53 - 1.
const MOST_EXACT: f64 = 9_007_199_254_740_991.0;

/// Why data can't be shown to a person, or signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DataFault {
    /// Too much to be read.
    #[error("is longer than {MOST_BYTES} bytes")]
    TooLong,
    /// Too many things side by side.
    #[error("has more than {MOST_MEMBERS} members in one place")]
    TooWide,
    /// Too many things in one another.
    #[error("is nested more than {MOST_DEPTH} deep")]
    TooDeep,
    /// A text that could be shown as another one, or in two ways.
    #[error(
        "has a text with control, invisible or bidirectional formatting characters, or not in Unicode normalization form C"
    )]
    Text,
    /// One name, two values.
    #[error("has two members of the same name in one place")]
    Twice,
    /// A number that is rounded when it is read.
    #[error("has a number that isn't exact in JSON (beyond 2^53 - 1, or with too many digits); send it as text")]
    Number,
    /// Nothing that holds members.
    #[error("is not a JSON object")]
    Form,
}

/// The members of an object as they are written, in their order.
pub struct Members<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The object that the text is, if a person can read it and nobody could read it as another one.
pub fn object(text: &str) -> Result<Map<String, Value>, DataFault> {
    let Members(members) = serde_json::from_str(text).map_err(|_| DataFault::Form)?;
    checked(members, 1)
}

/// These members as an object, on the same terms.
pub fn members(members: Vec<(String, &RawValue)>) -> Result<Map<String, Value>, DataFault> {
    checked(members, 1)
}

fn checked(members: Vec<(String, &RawValue)>, depth: usize) -> Result<Map<String, Value>, DataFault> {
    if members.len() > MOST_MEMBERS {
        return Err(DataFault::TooWide);
    }
    let mut all = Map::new();
    for (name, member) in members {
        let name = plain(name)?;
        if all.insert(name, value(member.get(), depth)?).is_some() {
            return Err(DataFault::Twice);
        }
    }
    Ok(all)
}

/// What the text of one member or item means. Its kind shows in its first character.
fn value(text: &str, depth: usize) -> Result<Value, DataFault> {
    match text.as_bytes().first() {
        Some(b'{' | b'[') if depth >= MOST_DEPTH => Err(DataFault::TooDeep),
        Some(b'{') => {
            let Members(members) = serde_json::from_str(text).map_err(|_| DataFault::Form)?;
            checked(members, depth + 1).map(Value::Object)
        }
        Some(b'[') => list(text, depth).map(Value::Array),
        Some(b'-' | b'0'..=b'9') => number(text).map(Value::Number),
        Some(b'"') => plain(serde_json::from_str(text).map_err(|_| DataFault::Text)?).map(Value::String),
        _ => serde_json::from_str(text).map_err(|_| DataFault::Form),
    }
}

fn list(text: &str, depth: usize) -> Result<Vec<Value>, DataFault> {
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| DataFault::Form)?;
    if items.len() > MOST_MEMBERS {
        return Err(DataFault::TooWide);
    }
    items.into_iter().map(|item| value(item.get(), depth + 1)).collect()
}

fn plain(said: String) -> Result<String, DataFault> {
    if said.chars().any(is_deceptive) || !is_nfc(&said) { Err(DataFault::Text) } else { Ok(said) }
}

/// A number, if what canonical JSON writes of it is the same number, and our own store reads that as it was.
fn number(text: &str) -> Result<Number, DataFault> {
    let read: f64 = text.parse().map_err(|_| DataFault::Number)?;
    if read.abs() > MOST_EXACT || decimal(text).is_none_or(|it| decimal(&format!("{read:e}")) != Some(it)) {
        return Err(DataFault::Number);
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(Number::from(whole));
    }
    let number = Number::from_f64(read).ok_or(DataFault::Number)?;
    let again = serde_json::from_str::<f64>(&number.to_string()).map_err(|_| DataFault::Number)?;
    if again.to_bits() == read.to_bits() { Ok(number) } else { Err(DataFault::Number) }
}

/// A decimal number's digits without zeros at the ends, and the power of ten of the last one. The sign doesn't count.
fn decimal(text: &str) -> Option<(String, i64)> {
    let text = text.trim_start_matches('-');
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let digits = all.trim_end_matches('0');
    let dropped = i64::try_from(all.len() - digits.len()).ok()?;
    let behind = i64::try_from(fraction.len()).ok()?;
    let last = exponent.parse::<i64>().ok()?.checked_sub(behind)?.checked_add(dropped)?;
    let digits = digits.trim_start_matches('0');
    Some(if digits.is_empty() { (String::new(), 0) } else { (digits.to_owned(), last) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::canonical::canonical;

    fn fault(data: &Value) -> Option<DataFault> {
        object(&data.to_string()).err()
    }

    #[test]
    fn what_a_person_can_read_is_fine() {
        let data = json!({"amount": 12.5, "currency": "EUR", "lines": [{"to": ["René"]}], "x": null, "y": true});
        assert_eq!(object(&data.to_string()), Ok(data.as_object().unwrap().clone()));
        assert_eq!(object(" {} "), Ok(Map::new()));
    }

    #[test]
    fn what_nobody_could_read_is_refused() {
        let wide: Vec<u8> = vec![0; MOST_MEMBERS + 1];
        let wider: Map<_, _> = (0..=MOST_MEMBERS).map(|n| (n.to_string(), json!(1))).collect();
        let cases = [
            (json!({"a": "\u{202e}"}), DataFault::Text),
            (json!({"a\u{0}": 1}), DataFault::Text),
            (json!({"a": "Rene\u{301}"}), DataFault::Text),
            (json!({"a": [[[[1]]]]}), DataFault::TooDeep),
            (json!({"a": {"b": {"c": {"d": {}}}}}), DataFault::TooDeep),
            (json!({"a": wide}), DataFault::TooWide),
            (Value::Object(wider), DataFault::TooWide),
            (json!([1]), DataFault::Form),
            (json!("a"), DataFault::Form),
        ];
        for (data, expected) in cases {
            assert_eq!(fault(&data), Some(expected), "{data}");
        }
        assert_eq!(object(r#"{"a": "\ud800"}"#), Err(DataFault::Text));
    }

    #[test]
    fn one_name_has_one_value_at_every_depth() {
        for twice in [
            r#"{"a": 1, "a": 2}"#,
            r#"{"a": 1, "\u0061": 1}"#,
            r#"{"o": {"a": 1, "b": 0, "a": 1}}"#,
            r#"{"l": [{"o": {"a": 1, "a": 2}}]}"#,
        ] {
            assert_eq!(object(twice), Err(DataFault::Twice), "{twice}");
        }
        assert!(object(r#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}"#).is_ok());
    }

    #[test]
    fn a_number_is_the_one_that_was_written() {
        let one = |text: &str| object(&format!(r#"{{"n": {text}}}"#));
        for exact in [
            "0",
            "-0",
            "1",
            "-1",
            "12.50",
            "0.1",
            "1.0",
            "1e2",
            "1E+2",
            "125e-1",
            "0e5",
            "0.000",
            "1e-300",
            "9007199254740991",
            "-9007199254740991",
            "9007199254740991.0",
            "90071992547409.91",
            "0.30000000000000004",
        ] {
            assert!(one(exact).is_ok(), "{exact}");
        }
        for rounded in [
            "9007199254740992",
            "9007199254740993",
            "-9007199254740993",
            "9007199254740993.0",
            "9007199254740993e0",
            "18446744073709551615",
            "99999999999999999999",
            "1e300",
            "1e400",
            "-1e400",
            "1e-400",
            "0.1000000000000000000001",
            "12.50000000000000000001",
            "9007199254740991.4",
            "0.3000000000000000444",
            "1e99999999999999999999",
            "1e-99999999999999999999",
        ] {
            assert_eq!(one(rounded), Err(DataFault::Number), "{rounded}");
        }
    }

    proptest! {
        /// Two numbers that are both taken have one canonical spelling only if they are one number.
        #[test]
        fn different_numbers_are_signed_differently(a in "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,18})?", b in 0_u8..10) {
            let near = format!("{}{b}", &a[..a.len() - 1]);
            let (Ok(one), Ok(other)) = (number(&a), number(&near)) else { return Ok(()) };
            let same = canonical(&one).unwrap() == canonical(&other).unwrap();
            prop_assert_eq!(same, decimal(&a) == decimal(&near), "{} {}", a, near);
        }

        #[test]
        fn what_is_taken_is_kept_by_the_store(n in any::<f64>()) {
            let Ok(taken) = number(&Value::from(n).to_string().replace("null", "0")) else { return Ok(()) };
            let again: Number = serde_json::from_str(&serde_json::to_string(&taken).unwrap()).unwrap();
            prop_assert_eq!(again, taken);
        }
    }
}
