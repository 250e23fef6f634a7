//! Immutable ids. Active Directory's are 16 bytes, written as Microsoft writes them, in small letters; all others are
//! the text that the server gives.

use std::fmt::Write as _;

use super::settings::Kind;
use crate::domain::hex::unhex;

/// What to search for; `None`: no entry has such an id.
pub(super) fn to_server(kind: Kind, id: &str) -> Option<Vec<u8>> {
    if kind == Kind::ActiveDirectory { guid_bytes(id).map(Vec::from) } else { Some(id.as_bytes().to_vec()) }
}

/// How it is written; `None`: it is no id.
pub(super) fn from_server(kind: Kind, value: &[u8]) -> Option<String> {
    if kind == Kind::ActiveDirectory {
        return Some(guid_text(value.try_into().ok()?));
    }
    String::from_utf8(value.to_vec()).ok()
}

/// The first three fields are little-endian (MS-DTYP 2.3.4).
fn guid_text(bytes: [u8; 16]) -> String {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::with_capacity(36);
    for (at, from) in order.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a text can't fail.
        let _ = write!(text, "{:02x}", bytes[from]);
    }
    text
}

/// Of its one spelling.
fn guid_bytes(text: &str) -> Option<[u8; 16]> {
    let mut bytes: [u8; 16] = unhex(&text.replace('-', ""))?;
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    (guid_text(bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_one_spelling() {
        let text = "7f1f071d-a39b-4912-bfe4-1b54a5ccf59f";
        let bytes = to_server(Kind::ActiveDirectory, text).unwrap();
        assert_eq!(bytes, b"\x1d\x07\x1f\x7f\x9b\xa3\x12\x49\xbf\xe4\x1b\x54\xa5\xcc\xf5\x9f");
        assert_eq!(from_server(Kind::ActiveDirectory, &bytes).unwrap(), text);
        let upper = text.to_uppercase();
        let bare = text.replace('-', "");
        let braces = format!("{{{text}}}");
        for other in ["", "alice", &upper, &bare, &braces, &text[1..], &text.replace('7', "+"), &text.replace('f', "é")]
        {
            assert_eq!(to_server(Kind::ActiveDirectory, other), None, "{other}");
        }
        assert_eq!(from_server(Kind::ActiveDirectory, &bytes[1..]), None);
    }

    #[test]
    fn other_ids_are_text() {
        assert_eq!(to_server(Kind::OpenLdap, "Aé").unwrap(), "Aé".as_bytes());
        assert_eq!(from_server(Kind::Ds389, b"a-b").unwrap(), "a-b");
        assert_eq!(from_server(Kind::Ds389, b"\xff"), None);
    }
}
