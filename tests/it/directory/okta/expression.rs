//! Search expressions, whatever is put into them.

use behalf::{
    adapters::directory::okta::expression,
    domain::ids::{Login, UserId},
};
use proptest::prelude::*;

use crate::support::fake_okta::search::{self, Expression};

fn is_one_comparison(text: &str, name: &str, wanted: &str) -> Result<(), TestCaseError> {
    let parsed = search::parse(text).map_err(TestCaseError::fail)?;
    let Expression::Compare { attribute, operator, value } = parsed else {
        return Err(TestCaseError::fail(format!("{text} became more than a comparison")));
    };
    prop_assert_eq!((attribute.as_str(), operator.as_str()), (name, "eq"));
    prop_assert_eq!(value.as_str(), Some(wanted));
    Ok(())
}

proptest! {
    /// What it looks for is exactly what was put in, and it asks for nothing else.
    #[test]
    fn no_input_changes_its_shape(
        text in "\\PC{1,60}|[\"\\\\ a-z()]{1,40}|(\" or |\\\\|id pr|profile\\.login eq |\"){1,8}"
    ) {
        if let Ok(id) = UserId::parse(&text) {
            is_one_comparison(&expression::lists(&id), "profile.delegatedAgents", &text)?;
        }
        if let Ok(login) = Login::parse(&text) {
            is_one_comparison(&expression::has_login(&login), "profile.login", &text)?;
        }
    }
}

#[test]
fn the_grammar_tells_one_expression_from_two() {
    for (text, count) in [
        ("id eq \"a\"", 1),
        ("id eq \"a\" or id pr", 2),
        ("id eq \"a\\\" or id pr\"", 1),
        ("(id eq \"a\" and status eq \"x\") or id pr", 3),
        ("id eq \"a\"  and id pr", 2),
    ] {
        assert_eq!(search::parse(text).map(|e| e.attributes().len()), Ok(count), "{text}");
    }
    for bad in [
        "",
        "id",
        "id eq",
        "id eq a",
        "id eq \"a",
        "id eq \"a\"x",
        "id eq \"a\" or",
        "(id pr",
        "id like \"a\"",
        "1 eq 1",
    ] {
        assert!(search::parse(bad).is_err(), "{bad}");
    }
}
