//! An entry as it came: attributes in bytes.

use ldap3::asn1::{PL, StructureTag};

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    /// Its name now.
    pub(super) dn: String,
    /// Names as the server spells them, options included, and the values in its order.
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Raw {
    /// Of a search's result entry.
    pub(super) fn read(entry: StructureTag) -> Option<Self> {
        let mut parts = many(entry)?.into_iter();
        let dn = String::from_utf8(bytes(parts.next()?)?).ok()?;
        let attribute = |part| {
            let mut parts = many(part)?.into_iter();
            let name = String::from_utf8(bytes(parts.next()?)?).ok()?;
            Some((name, many(parts.next()?)?.into_iter().map(bytes).collect::<Option<_>>()?))
        };
        let attributes = many(parts.next()?)?.into_iter().map(attribute).collect::<Option<_>>()?;
        Some(Self { dn, attributes })
    }

    /// For tests: an entry that no server sent.
    #[cfg(test)]
    pub(super) fn made(dn: &str, attributes: &[(&str, &[&[u8]])]) -> Self {
        let values = |values: &[&[u8]]| values.iter().map(|value| value.to_vec()).collect();
        let attributes = attributes.iter().map(|(name, all)| ((*name).to_owned(), values(all))).collect();
        Self { dn: dn.to_owned(), attributes }
    }

    /// The attribute's values; none if it isn't there.
    pub(super) fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or(&[], |(_, values)| values)
    }

    /// Those of them that are text.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().filter_map(|value| str::from_utf8(value).ok())
    }

    /// A part of the attribute's values, where the server gives long lists in parts: the values, and the index of the
    /// next part's first, if there is one. (`member;range=0-1499`, the last part `member;range=1500-*`.)
    pub(super) fn range(&self, name: &str) -> Option<(&[Vec<u8>], Option<usize>)> {
        self.attributes.iter().find_map(|(found, values)| {
            let (base, range) = found.split_once(';')?;
            let (_, last) = range
                .get(..6)
                .filter(|word| word.eq_ignore_ascii_case("range="))
                .and_then(|word| range[word.len()..].split_once('-'))?;
            let next = if last == "*" { None } else { Some(last.parse::<usize>().ok()?.checked_add(1)?) };
            base.eq_ignore_ascii_case(name).then_some((values.as_slice(), next))
        })
    }
}

fn many(part: StructureTag) -> Option<Vec<StructureTag>> {
    match part.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn bytes(part: StructureTag) -> Option<Vec<u8>> {
    match part.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}
