//! No value changes the form of a filter: what is built is read by a parser of the grammar (RFC 4515), written here.

use behalf::adapters::directory::ldap::filter::Filter;
use proptest::prelude::*;

/// A filter as the grammar reads it.
#[derive(Debug, PartialEq)]
enum Read {
    And(Vec<Read>),
    Or(Vec<Read>),
    Not(Box<Read>),
    /// Attribute, and the value in bytes.
    Equal(String, Vec<u8>),
    /// Attribute, rule, value.
    Extended(String, String, Vec<u8>),
    /// Presence or substrings: what an unescaped asterisk makes.
    Wild,
}

fn filter(text: &[u8]) -> Option<(Read, &[u8])> {
    let rest = text.strip_prefix(b"(")?;
    let (read, rest) = match rest.first()? {
        b'&' => list(&rest[1..]).map(|(all, rest)| (Read::And(all), rest))?,
        b'|' => list(&rest[1..]).map(|(all, rest)| (Read::Or(all), rest))?,
        b'!' => filter(&rest[1..]).map(|(one, rest)| (Read::Not(Box::new(one)), rest))?,
        _ => item(rest)?,
    };
    Some((read, rest.strip_prefix(b")")?))
}

fn list(mut text: &[u8]) -> Option<(Vec<Read>, &[u8])> {
    let mut all = Vec::new();
    while text.first() == Some(&b'(') {
        let (one, rest) = filter(text)?;
        all.push(one);
        text = rest;
    }
    (!all.is_empty()).then_some((all, text))
}

fn item(text: &[u8]) -> Option<(Read, &[u8])> {
    let end = text.iter().position(|b| *b == b'=')?;
    let name = String::from_utf8(text[..end].to_vec()).ok()?;
    let (value, wild, rest) = value(&text[end + 1..])?;
    let read = match name.strip_suffix(':') {
        _ if wild => Read::Wild,
        Some(extended) => {
            let (name, rule) = extended.split_once(':')?;
            Read::Extended(name.to_owned(), rule.to_owned(), value)
        }
        None if name.bytes().all(|b| b.is_ascii_alphanumeric()) => Read::Equal(name, value),
        None => return None,
    };
    Some((read, rest))
}

/// `valueencoding`: any byte but NUL, `(`, `)`, `*`, `\`, or `\` with two digits.
fn value(mut text: &[u8]) -> Option<(Vec<u8>, bool, &[u8])> {
    let (mut value, mut wild) = (Vec::new(), false);
    loop {
        match text.first()? {
            b')' => return Some((value, wild, text)),
            b'(' | 0 => return None,
            b'*' => wild = true,
            b'\\' => {
                value.push(u8::from_str_radix(std::str::from_utf8(text.get(1..3)?).ok()?, 16).ok()?);
                text = &text[2..];
            }
            byte => value.push(*byte),
        }
        text = &text[1..];
    }
}

fn read(built: &Filter) -> Read {
    let (read, rest) = filter(built.as_str().as_bytes()).unwrap_or_else(|| panic!("{built} is no filter"));
    assert_eq!(rest, b"", "{built}");
    read
}

#[test]
fn the_parser_sees_what_an_unescaped_value_would_do() {
    let raw = |value: &str| Filter::configured(&format!("(uid={value})"));
    assert_eq!(read(&raw("x\\29")), Read::Equal("uid".to_owned(), b"x)".to_vec()));
    assert_eq!(read(&raw("*")), Read::Wild);
    assert!(filter(raw("x)(cn=y").as_str().as_bytes()).is_none_or(|(_, rest)| !rest.is_empty()));
    assert_eq!(
        read(&Filter::configured("(&(!(a=b))(|(c:1.2:=d)(e=f)))")),
        Read::And(vec![
            Read::Not(Box::new(Read::Equal("a".to_owned(), b"b".to_vec()))),
            Read::Or(vec![
                Read::Extended("c".to_owned(), "1.2".to_owned(), b"d".to_vec()),
                Read::Equal("e".to_owned(), b"f".to_vec())
            ]),
        ])
    );
}

proptest! {
    #[test]
    fn no_value_changes_the_form(
        one in prop_oneof!["\\PC{0,40}", "[()*\\\\\0&|!=:]{1,12}", "alice\\)\\(uid=\\*.{0,5}"],
        other in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let equal = |value: &[u8]| Read::Equal("uid".to_owned(), value.to_vec());
        let a = Filter::is("uid", one.as_bytes());
        let b = Filter::is("uid", &other);
        prop_assert_eq!(read(&a), equal(one.as_bytes()));
        prop_assert_eq!(read(&b), equal(&other));
        prop_assert_eq!(read(&a.clone().or(&b)), Read::Or(vec![equal(one.as_bytes()), equal(&other)]));
        prop_assert_eq!(read(&a.and(&b)), Read::And(vec![equal(one.as_bytes()), equal(&other)]));
        let chain = Read::Extended("member".to_owned(), "1.2.840.113556.1.4.1941".to_owned(), one.as_bytes().to_vec());
        prop_assert_eq!(read(&Filter::leads_to("member", &one)), chain);
        // What is sent is what the library makes of the text: it takes it, too.
        prop_assert!(ldap3::parse_filter(b.as_str()).is_ok());
    }
}
