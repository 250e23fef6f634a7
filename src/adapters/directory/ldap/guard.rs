//! What of a server's bytes is passed on to the library: whole messages of a bounded size and of the exact form of
//! RFC 4511. The library reads what it is given recursively, as long as it comes, and panics where it is something else.

use std::{io, str};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest message that is read, in bytes. An entry is one message; only what is used of it is asked for.
const MOST_BYTES: usize = 2 << 20;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// Messages with a result code: bind, search done, modify, add, delete, modify DN, compare, extended.
const RESULTS: [u8; 8] = [0x61, 0x65, 0x67, 0x69, 0x6b, 0x6d, 0x6f, 0x78];
const ENTRY: u8 = 0x64;
const REFERENCE: u8 = 0x73;
const CONTROLS: u8 = 0xa0;

/// Reads one message, its header included, or says why there is none.
pub(super) async fn message(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut message = vec![from.read_u8().await?, from.read_u8().await?];
    let length = match message[1] {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => {
            let mut length = 0;
            for _ in 0x80..long {
                let byte = from.read_u8().await?;
                message.push(byte);
                length = length << 8 | usize::from(byte);
            }
            length
        }
        _ => return Err(garbage()),
    };
    if message[0] != SEQUENCE {
        return Err(garbage());
    }
    if length > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it sent a message that is too long"));
    }
    let whole = message.len() + length;
    // Memory is taken as the bytes come, not as they are announced.
    from.take(length as u64).read_to_end(&mut message).await?;
    if message.len() < whole {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if number(&message) == Some(0) {
        return Err(io::Error::new(io::ErrorKind::ConnectionReset, "it said that it ends the connection"));
    }
    if well_formed(&message).is_none() { Err(garbage()) } else { Ok(message) }
}

/// The result code, if this is the answer to an extended request of that number.
pub(super) fn extended_result(message: &[u8], number: u64) -> Option<u64> {
    let mut parts = inside(message)?;
    let (of, op) = (parts.get(INTEGER)?, parts.get(0x78)?);
    (integer(of)? == number).then_some(())?;
    integer(Parts(op).get(ENUMERATED)?)
}

/// The value of a paged-results control: the cookie of the next page, empty after the last.
pub(super) fn cookie(value: &[u8]) -> Option<Vec<u8>> {
    let mut parts = Parts(Parts(value).get(SEQUENCE)?);
    parts.get(INTEGER)?;
    parts.get(OCTETS).map(<[u8]>::to_vec)
}

fn garbage() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it sent something that is no LDAP message")
}

fn inside(message: &[u8]) -> Option<Parts<'_>> {
    Parts(message).get(SEQUENCE).map(Parts)
}

/// The number of a message; 0: the server speaks unasked.
fn number(message: &[u8]) -> Option<u64> {
    integer(inside(message)?.get(INTEGER)?)
}

fn well_formed(message: &[u8]) -> Option<()> {
    let mut parts = inside(message)?;
    integer(parts.get(INTEGER)?)?;
    match parts.next()? {
        (kind, op) if RESULTS.contains(&kind) => result(Parts(op))?,
        (ENTRY, op) => entry(Parts(op))?,
        (REFERENCE, op) => each(op, OCTETS, text)?,
        _ => return None,
    }
    if !parts.is_empty() {
        each(parts.get(CONTROLS)?, SEQUENCE, control)?;
    }
    parts.end()
}

fn result(mut op: Parts<'_>) -> Option<()> {
    integer(op.get(ENUMERATED)?)?;
    text(op.get(OCTETS)?)?;
    text(op.get(OCTETS)?)?;
    while !op.is_empty() {
        match op.next()? {
            // Referrals, SASL credentials, the name and the value of an extended response.
            (0xa3, urls) => each(urls, OCTETS, text)?,
            (0x8a, name) => text(name)?,
            (0x87 | 0x8b, _) => {}
            _ => return None,
        }
    }
    Some(())
}

fn entry(mut op: Parts<'_>) -> Option<()> {
    text(op.get(OCTETS)?)?;
    each(op.get(SEQUENCE)?, SEQUENCE, |attribute| {
        let mut attribute = Parts(attribute);
        text(attribute.get(OCTETS)?)?;
        each(attribute.get(SET)?, OCTETS, |_| Some(()))?;
        attribute.end()
    })?;
    op.end()
}

fn control(control: &[u8]) -> Option<()> {
    let mut control = Parts(control);
    text(control.get(OCTETS)?)?;
    if control.0.first() == Some(&BOOLEAN) && control.get(BOOLEAN)?.len() != 1 {
        return None;
    }
    if !control.is_empty() {
        control.get(OCTETS)?;
    }
    control.end()
}

fn each(content: &[u8], kind: u8, check: impl Fn(&[u8]) -> Option<()>) -> Option<()> {
    let mut parts = Parts(content);
    while !parts.is_empty() {
        check(parts.get(kind)?)?;
    }
    Some(())
}

fn text(content: &[u8]) -> Option<()> {
    str::from_utf8(content).is_ok().then_some(())
}

/// Not negative, of at most four bytes.
fn integer(content: &[u8]) -> Option<u64> {
    let fits = (1..=4).contains(&content.len()) && content[0] < 0x80;
    fits.then(|| content.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The elements of a content, one after the other.
struct Parts<'m>(&'m [u8]);

impl<'m> Parts<'m> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn end(&self) -> Option<()> {
        self.is_empty().then_some(())
    }

    /// The content of the next element, which must be of this kind.
    fn get(&mut self, kind: u8) -> Option<&'m [u8]> {
        self.next().filter(|(found, _)| *found == kind).map(|(_, content)| content)
    }

    fn next(&mut self) -> Option<(u8, &'m [u8])> {
        let (kind, rest) = self.0.split_first()?;
        let (first, mut rest) = rest.split_first()?;
        let length = match *first {
            short @ 0..=0x7f => usize::from(short),
            long @ 0x81..=0x84 => {
                let (bytes, behind) = rest.split_at_checked(usize::from(long - 0x80))?;
                rest = behind;
                bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
            }
            _ => return None,
        };
        let (content, behind) = rest.split_at_checked(length)?;
        self.0 = behind;
        Some((*kind, content))
    }
}

#[cfg(test)]
mod tests;
