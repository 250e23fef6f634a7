use super::*;

/// The secret of RFC 4226, appendix D, and RFC 6238, appendix B.
const RFC: &[u8; SECRET_BYTES] = b"12345678901234567890";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn code(secret: &Secret, step: u64) -> Code {
    Code(truncated(secret.bytes(), step) % 1_000_000)
}

#[test]
fn codes_are_those_of_rfc_4226() {
    let expected = [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
    for (counter, code) in expected.into_iter().enumerate() {
        assert_eq!(truncated(RFC, counter as u64) % 1_000_000, code, "{counter}");
    }
    assert_eq!(truncated(RFC, 0), 0x4c93_cf18);
}

#[test]
fn codes_are_those_of_rfc_6238() {
    let expected = [
        (59, 94_287_082),
        (1_111_111_109, 7_081_804),
        (1_111_111_111, 14_050_471),
        (1_234_567_890, 89_005_924),
        (2_000_000_000, 69_279_037),
        (20_000_000_000, 65_353_130),
    ];
    for (second, code) in expected {
        assert_eq!(truncated(RFC, step_at(at(second))) % 100_000_000, code, "{second}");
    }
}

#[test]
fn one_step_to_either_side_counts_and_no_more() {
    let secret = Secret::new(*RFC);
    let now = at(1_800_000_015);
    let present = step_at(now);
    for (away, good) in [(-2_i64, false), (-1, true), (0, true), (1, true), (2, false)] {
        let step = present.saturating_add_signed(away);
        let found = accepted(&secret, code(&secret, step), now, None);
        assert_eq!(found, good.then_some(step), "{away}");
    }
}

#[test]
fn a_step_counts_once_and_none_before_it_after_it() {
    let secret = Secret::new(*RFC);
    let now = at(1_800_000_015);
    let present = step_at(now);
    assert_eq!(accepted(&secret, code(&secret, present), now, Some(present - 1)), Some(present));
    for late in [present - 1, present] {
        assert_eq!(accepted(&secret, code(&secret, late), now, Some(present)), None);
    }
    assert_eq!(accepted(&secret, code(&secret, present + 1), now, Some(present)), Some(present + 1));
}

#[test]
fn another_secret_has_other_codes() {
    let (one, other) = (Secret::new(*RFC), Secret::new([7; SECRET_BYTES]));
    let now = at(1_800_000_015);
    assert_eq!(accepted(&one, code(&other, step_at(now)), now, None), None);
}

#[test]
fn a_code_is_six_digits() {
    for bad in ["", "12345", "1234567", "12 456", "12345a", "+12345", "-12345", "１２３４５６", " 123456", "123456\n"]
    {
        assert!(Code::parse(bad).is_none(), "{bad}");
    }
    assert_eq!(Code::parse("000042").map(|code| code.0), Some(42));
}

#[test]
fn the_secret_is_spelled_as_authenticators_read_it() {
    // RFC 4648, 10, over the twenty bytes that every authenticator's example has.
    assert_eq!(Secret::new(*RFC).base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_eq!(Secret::new([0xff; SECRET_BYTES]).base32(), "7".repeat(32));
    assert!(!format!("{:?}", Secret::new(*RFC)).contains("49"));
}
