use proptest::prelude::*;

use super::*;

fn element(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    let mut all = vec![kind];
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        all.push(short);
    } else {
        all.push(0x84);
        all.extend(length.to_be_bytes());
    }
    all.extend(content);
    all
}

fn whole(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &[&element(INTEGER, &[7])[..], &parts.concat()].concat())
}

fn result(kind: u8) -> Vec<u8> {
    element(kind, &[element(ENUMERATED, &[0]), element(OCTETS, b""), element(OCTETS, b"ok")].concat())
}

fn entry(values: &[&[u8]]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| element(OCTETS, value)).collect();
    let attribute = element(SEQUENCE, &[element(OCTETS, b"uid"), element(SET, &values)].concat());
    element(ENTRY, &[element(OCTETS, b"cn=x"), element(SEQUENCE, &attribute)].concat())
}

async fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut left = bytes;
    message(&mut left).await
}

#[tokio::test]
async fn messages_of_the_right_form_pass_as_they_are() {
    let control =
        element(SEQUENCE, &[element(OCTETS, b"1.2"), element(BOOLEAN, &[0xff]), element(OCTETS, b"v")].concat());
    let controls = element(CONTROLS, &control);
    let long = vec![b'x'; 100_000];
    let good = [
        whole(&[&result(0x61)]),
        whole(&[&result(0x65), &controls]),
        whole(&[&entry(&[b"alice", b"\xff\xfe"])]),
        whole(&[&entry(&[&long])]),
        whole(&[&element(REFERENCE, &element(OCTETS, b"ldap://x"))]),
    ];
    for message in &good {
        assert_eq!(read(message).await.unwrap(), *message);
        // Bytes behind it are the next one's.
        assert_eq!(read(&[&message[..], b"more"].concat()).await.unwrap(), *message);
        assert!(read(&message[..message.len() - 1]).await.is_err());
    }
}

#[tokio::test]
async fn anything_else_is_refused() {
    let nested = (0..50_000).fold(Vec::new(), |inner: Vec<u8>, _| {
        let mut outer = vec![0x30, 0x83];
        outer.extend(&u32::try_from(inner.len()).unwrap().to_be_bytes()[1..]);
        outer.extend(inner);
        if outer.len() > 60_000 { Vec::new() } else { outer }
    });
    let bad = [
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        b"\x30\x80\x00\x00".to_vec(),
        b"\x30\x84\xff\xff\xff\xff".to_vec(),
        b"\x30\x85\x00\x00\x00\x00\x00".to_vec(),
        b"\x30\x00".to_vec(),
        whole(&[]),
        whole(&[&result(0x63)]),
        whole(&[&element(0x65, b"")]),
        whole(&[&element(0x65, &element(ENUMERATED, b""))]),
        whole(&[&result(0x65), &element(0xa1, b"")]),
        whole(&[&result(0x65), &element(CONTROLS, &element(SEQUENCE, b""))]),
        whole(&[&result(0x65), &element(CONTROLS, &element(SEQUENCE, &[element(OCTETS, b"1"), vec![1, 0]].concat()))]),
        whole(&[&element(ENTRY, &[element(OCTETS, b"\xff"), element(SEQUENCE, b"")].concat())]),
        whole(&[&element(ENTRY, &element(OCTETS, b"cn=x"))]),
        whole(&[&element(ENTRY, &[element(OCTETS, b"cn=x"), element(SEQUENCE, &nested)].concat())]),
        // It says goodbye (RFC 4511, 4.4.1).
        element(SEQUENCE, &[element(INTEGER, &[0]), result(0x78)].concat()),
    ];
    for message in &bad {
        assert!(read(message).await.is_err(), "{:?}", &message[..message.len().min(40)]);
    }
}

#[test]
fn cookies_and_results_are_found() {
    let value = element(SEQUENCE, &[element(INTEGER, &[0]), element(OCTETS, b"next")].concat());
    assert_eq!(cookie(&value).as_deref(), Some(&b"next"[..]));
    assert_eq!(cookie(b"\x30\x00"), None);
    assert_eq!(extended_result(&whole(&[&result(0x78)]), 7), Some(0));
    assert_eq!(extended_result(&whole(&[&result(0x78)]), 8), None);
    assert_eq!(extended_result(&whole(&[&result(0x61)]), 7), None);
}

proptest! {
    /// What is let through, the library's parser reads without a panic; and nothing panics here.
    #[test]
    fn nothing_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..60, byte in any::<u8>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _ = runtime.block_on(read(&bytes));
        bytes = whole(&[&entry(&[b"alice"]), &element(CONTROLS, &element(SEQUENCE, &element(OCTETS, b"1.2")))]);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(passed) = runtime.block_on(read(&bytes)) {
            let (rest, parsed) = ldap3::asn1::parse_tag(&passed).unwrap();
            prop_assert!(rest.is_empty());
            let ldap3::asn1::PL::C(parts) = parsed.payload else { panic!("no sequence") };
            prop_assert!((2..=3).contains(&parts.len()));
        }
    }
}
