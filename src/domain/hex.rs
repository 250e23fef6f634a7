//! Bytes as lower-case hex, there and back.

/// Two digits for each byte. Every hook writes such texts, and the formatter takes ten times as long.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 15)]);
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(*byte));
    }
    out
}

/// Exactly so many bytes, each as two lower-case digits.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(hex(&[0x00, 0x0f, 0x9a, 0xff]), "000f9aff");
        assert_eq!(hex(&[]), "");
    }

    #[test]
    fn it_is_read_back_in_one_spelling() {
        assert_eq!(unhex("000f9aff"), Some([0x00, 0x0f, 0x9a, 0xff]));
        for no in ["", "000f9af", "000f9aff0", "000f9aff00", "000F9aff", "+00f9aff", "000f9a\u{e9}", "000f9a f"] {
            assert_eq!(unhex::<4>(no), None, "{no}");
        }
    }
}
