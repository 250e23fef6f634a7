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
    fn one_form_is_normal() {
        assert!(is_nfc("René") && is_nfc("plain"));
        assert!(!is_nfc("Rene\u{301}"));
        // The Kelvin sign is another spelling of K.
        assert!(!is_nfc("\u{212a}"));
    }
}
