//! Texts that people wrote, compared as people read them.

use icu_normalizer::ComposingNormalizerBorrowed;
use unicase::UniCase;

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// Whether the text is in Unicode normalization form C.
pub fn is_nfc(text: &str) -> bool {
    text.is_ascii() || NFC.is_normalized(text)
}

/// Whether two names read the same: spaces at the ends and upper or lower case don't count, nor how an accent is encoded.
pub fn same_name(one: &str, other: &str) -> bool {
    let (one, other) = (words(one), words(other));
    UniCase::unicode(NFC.normalize(&one)) == UniCase::unicode(NFC.normalize(&other))
}

/// The bytes of a JSON text with its escapes undone, wherever they stand: it need not be JSON.
pub fn without_json_escapes(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        if let Some((c, after)) = unescaped(rest) {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = after;
        } else {
            out.push(first);
            rest = tail;
        }
    }
    out
}

/// The character that the escape at the beginning of the text means, and what comes behind it.
fn unescaped(text: &[u8]) -> Option<(char, &[u8])> {
    let (&kind, after) = text.strip_prefix(b"\\")?.split_first()?;
    match kind {
        b'"' | b'\\' | b'/' => Some((char::from(kind), after)),
        b'b' => Some(('\u{8}', after)),
        b'f' => Some(('\u{c}', after)),
        b'n' => Some(('\n', after)),
        b'r' => Some(('\r', after)),
        b't' => Some(('\t', after)),
        b'u' => {
            let (first, after) = unit(after)?;
            if let Some(c) = char::from_u32(u32::from(first)) {
                return Some((c, after));
            }
            let (second, after) = unit(after.strip_prefix(br"\u")?)?;
            let c = char::decode_utf16([first, second]).next()?.ok()?;
            Some((c, after))
        }
        _ => None,
    }
}

fn unit(text: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, after) = text.split_at_checked(4)?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
    Some((u16::from_str_radix(digits, 16).ok()?, after))
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_case_do_not_tell_names_apart() {
        assert!(same_name("René Müller", "rene\u{301} MU\u{308}LLER"));
        assert!(same_name(" Ann  Example ", "ann example"));
        assert!(same_name("Straße", "STRASSE"));
        assert!(!same_name("Ann Example", "Anna Example"));
        assert!(!same_name("Ann Example", "AnnExample"));
        assert!(!same_name("Rene", "René"));
    }

    #[test]
    fn escapes_of_json_are_undone_in_whatever_holds_them() {
        for text in ["00udba", "a/b\"c\\d", "René 😀", "\u{8}\u{c}\n\r\t"] {
            let units = text.encode_utf16().fold(String::new(), |all, unit| format!("{all}\\u{unit:04X}"));
            assert_eq!(without_json_escapes(units.as_bytes()), text.as_bytes(), "{units}");
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(without_json_escapes(json.as_bytes()), format!("\"{text}\"").as_bytes());
        }
        for same in [br"\u12".as_slice(), br"\ud800x", br"\u+123", br"\x", b"\\", b"\xff{"] {
            assert_eq!(without_json_escapes(same), same);
        }
    }

    #[test]
    fn one_form_is_normal() {
        assert!(is_nfc("René") && is_nfc("plain"));
        assert!(!is_nfc("Rene\u{301}"));
        // The Kelvin sign is another spelling of K.
        assert!(!is_nfc("\u{212a}"));
    }
}
