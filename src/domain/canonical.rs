//! Canonical JSON (RFC 8785, "JCS").

use serde::Serialize;
use serde_json::{Map, Value};

use super::chain::FormError;

/// Beyond it, canonical numbers are rounded.
const MOST_EXACT: u64 = (1 << 53) - 1;

/// Any value in canonical form.
pub fn canonical(value: &impl Serialize) -> Result<String, FormError> {
    serde_json_canonicalizer::to_string(value).map_err(|error| unreadable(&error))
}

/// The same, faster for what events are made of: there `serde_json`'s own spelling is the canonical one.
pub fn canonical_value(value: &Value) -> Result<String, FormError> {
    if is_plain(value) { serde_json::to_string(value).map_err(|error| unreadable(&error)) } else { canonical(value) }
}

fn unreadable(error: &serde_json::Error) -> FormError {
    FormError::Unreadable(error.to_string())
}

/// True if there are no names whose order depends on the encoding, none out of order, and no numbers but exact
/// integers. Strings are escaped in the same way by both.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.as_i64().is_some_and(|number| number.unsigned_abs() <= MOST_EXACT),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(map) => is_plain_object(map),
    }
}

/// The same for an object.
pub(super) fn is_plain_object(map: &Map<String, Value>) -> bool {
    map.keys().all(|name| name.is_ascii()) && map.keys().is_sorted() && map.values().all(is_plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let integers = prop_oneof![any::<i64>().prop_map(Value::from), any::<u64>().prop_map(Value::from)];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-10..10_i64).prop_map(Value::from),
            integers,
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f\u{2028}\u{fffd}\u{10000}]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let names = prop_oneof!["[a-c_.A-C\\x00-\\x1f\"]{0,3}", "[a\u{7f}\u{80}\u{e000}\u{10000}]{0,2}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(names, inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn both_ways_give_the_same(value in value()) {
            prop_assert_eq!(canonical_value(&value).ok(), canonical(&value).ok());
        }
    }

    #[test]
    fn what_is_not_plain_is_told_apart() {
        let most = MOST_EXACT;
        for plain in
            [json!({"a": [1, -1, null, "é\n"], "b": {"B": true}}), json!(most), json!(-9_007_199_254_740_991_i64)]
        {
            assert!(is_plain(&plain), "{plain}");
        }
        for other in [json!(1.0), json!(-0.0), json!(most + 1), json!(u64::MAX), json!({"é": 1}), json!([{"a": 0.5}])]
        {
            assert!(!is_plain(&other), "{other}");
        }
    }
}
