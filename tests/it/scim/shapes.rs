//! Whatever a login or an id is, it is one literal of the filter it stands in.

use behalf::adapters::directory::scim::filter::{Attribute, equal};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    URN,
    grammar::{Filter, Path, Target, filter, target},
};

fn path(urn: Option<&str>, name: &str, sub: Option<&str>) -> Path {
    Path { urn: urn.map(str::to_owned), name: name.to_owned(), sub: sub.map(str::to_owned) }
}

fn is(path: Path, value: &str) -> Filter {
    Filter::Compare(path, "eq".to_owned(), json!(value))
}

/// Texts that would like to be more than a text.
fn nasty() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\"",
        "\\",
        "\\\"",
        "\\u0022",
        "]",
        "[",
        ")",
        "(",
        " or ",
        " and ",
        " eq ",
        "not ",
        " pr",
        "userName",
        "value",
        "\u{0}",
        "\n",
        "\r",
        "\t",
        "\u{2028}",
        "é",
        "%22",
        "+",
        "/",
        "&",
        "#",
        "ann@example.com",
        "true",
        "null",
        "urn:x:",
        "\u{1f600}",
        "'",
        ".",
        "..",
        "*",
    ]);
    prop_oneof![prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat()), any::<String>()]
}

proptest! {
    #[test]
    fn a_value_is_one_literal(value in nasty()) {
        prop_assert_eq!(filter(&equal("userName", &value)), Some(is(path(None, "userName", None), &value)));
        let members = is(path(None, "members", Some("value")), &value);
        prop_assert_eq!(filter(&equal("members.value", &value)), Some(members));

        let simple = Attribute::new(URN, "delegatedAgents").unwrap();
        let agents = path(Some(URN), "delegatedAgents", None);
        prop_assert_eq!(filter(&simple.holding(&value)), Some(is(agents.clone(), &value)));
        let one = Target { path: agents, filter: Some(is(path(None, "value", None), &value)) };
        prop_assert_eq!(target(&simple.path_of(&value)), Some(one));

        let complex = Attribute::new(URN, "delegations.value").unwrap();
        let delegations = path(Some(URN), "delegations", None);
        let inner = is(path(None, "value", None), &value);
        let held = Filter::Values(delegations.clone(), Box::new(inner.clone()));
        prop_assert_eq!(filter(&complex.holding(&value)), Some(held));
        let one = Target { path: delegations, filter: Some(inner) };
        prop_assert_eq!(target(&complex.path_of(&value)), Some(one));
    }

    /// Whatever is taken for an attribute stays one path, in a filter as well as alone.
    #[test]
    fn what_is_configured_is_one_path(urn in "urn:[a-z:.\\[\\]\" ]{1,12}", name in "[a-z.\\[\\]\" ]{1,8}(\\.value)?") {
        let Ok(attribute) = Attribute::new(&urn, &name) else { return Ok(()) };
        let expected = path(Some(&urn), attribute.name(), None);
        prop_assert_eq!(target(&attribute.path()), Some(Target { path: expected.clone(), filter: None }));
        let read = target(&attribute.path_of("x"));
        prop_assert_eq!(read.map(|target| target.path), Some(expected));
    }
}

/// The judge itself: what the RFC gives as examples is read, and what is broken is not.
#[test]
fn the_judge_reads_the_examples_of_the_rfc() {
    for good in [
        "userName eq \"bjensen\"",
        "name.familyName co \"O'Malley\"",
        "urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"J\"",
        "title pr",
        "meta.lastModified gt \"2011-05-13T04:42:34Z\"",
        "title pr and userType eq \"Employee\"",
        "userType eq \"Employee\" and (emails co \"example.com\" or emails.value co \"example.org\")",
        "userType ne \"Employee\" and not (emails co \"example.com\" or emails.value co \"example.org\")",
        "userType eq \"Employee\" and emails[type eq \"work\" and value co \"@example.com\"]",
        "emails[type eq \"work\"] or ims[type eq \"xmpp\" and value co \"@foo.com\"]",
        "active eq true",
    ] {
        assert!(filter(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "userName",
        "userName eq",
        "userName eq bjensen",
        "userName eq \"a\"b\"",
        "userName eq \"a\" or",
        "userName  eq \"a\"",
        "userName eq \"a\" ",
        "userName eq {\"a\":1}",
        "emails[type eq \"work\"",
        "emails[a[b eq \"c\"]]",
        "1a eq \"b\"",
    ] {
        assert!(filter(bad).is_none(), "{bad}");
    }
    let or = filter("a eq \"1\" or b eq \"2\" and c eq \"3\"").unwrap();
    assert!(matches!(or, Filter::Or(_, and) if matches!(*and, Filter::And(..))), "`and` binds closer");
    assert_eq!(filter("a eq \"\\u0022\""), Some(is(path(None, "a", None), "\"")));
    assert_eq!(filter("a eq null"), Some(Filter::Compare(path(None, "a", None), "eq".to_owned(), Value::Null)));
}
