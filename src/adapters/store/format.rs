//! How every store writes a record as bytes. Numbers are big-endian, so that bytes sort as the values do.
//!
//! `format ‖ version ‖ flags ‖ live_until? ‖ drop_at? ‖ change ‖ rows ‖ (list ‖ owner ‖ sort)* ‖ body`. The Lua scripts
//! of the Redis store read the same bytes.

use jiff::Timestamp;

use crate::{
    app::kinds,
    ports::store::{ChangeId, Index, IndexRow, Kind, Record, Unreadable},
};

/// The layout of one record, in its first byte.
pub(super) const RECORD_FORMAT: u8 = 1;
/// The bytes of a record's key.
pub(super) const KEY_BYTES: usize = 41;

/// A record without its body, and the rows under which it is listed.
pub(super) struct Head<'a> {
    pub(super) version: u64,
    pub(super) live_until: Option<Timestamp>,
    pub(super) drop_at: Option<Timestamp>,
    pub(super) last_change: ChangeId,
    pub(super) rows: Vec<IndexRow>,
    pub(super) body: &'a [u8],
}

impl<'a> Head<'a> {
    /// Times are kept to the microsecond.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(43 + self.rows.len() * KEY_BYTES + self.body.len());
        out.push(RECORD_FORMAT);
        out.extend_from_slice(&self.version.to_be_bytes());
        out.push(u8::from(self.live_until.is_some()) | u8::from(self.drop_at.is_some()) << 1);
        for time in [self.live_until, self.drop_at].into_iter().flatten() {
            out.extend_from_slice(&time.as_microsecond().to_be_bytes());
        }
        out.extend_from_slice(&self.last_change.0);
        out.push(u8::try_from(self.rows.len()).unwrap_or(u8::MAX));
        for row in self.rows.iter().take(usize::from(u8::MAX)) {
            out.push(row.index.list);
            out.extend_from_slice(&row.index.owner);
            out.extend_from_slice(&row.sort.to_be_bytes());
        }
        out.extend_from_slice(self.body);
        out
    }

    /// Reads a record of this kind; what can't be read is said of that kind.
    pub(super) fn decode(kind: Kind, bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let named = |Unreadable(why)| Unreadable(format!("a record{}: {why}", kinds::of(kind)));
        Self::read(bytes).map_err(named)
    }

    fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut input = Input(bytes);
        input.format("it", RECORD_FORMAT)?;
        let version = u64::from_be_bytes(input.take()?);
        let [flags] = input.take()?;
        let live_until = if flags & 1 == 0 { None } else { Some(input.time()?) };
        let drop_at = if flags & 2 == 0 { None } else { Some(input.time()?) };
        let last_change = ChangeId(input.take()?);
        let [count] = input.take()?;
        let rows = (0..count).map(|_| input.row()).collect::<Result<_, _>>()?;
        Ok(Self { version, live_until, drop_at, last_change, rows, body: input.0 })
    }

    pub(super) fn to_record(&self) -> Record {
        Record {
            version: self.version,
            live_until: self.live_until,
            drop_at: self.drop_at,
            last_change: self.last_change,
            body: self.body.to_vec(),
        }
    }
}

/// The error for bytes that end too early.
pub(super) fn cut_off() -> Unreadable {
    Unreadable("an entry is cut off".to_owned())
}

/// Bytes still to be read.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl Input<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn format(&mut self, what: &str, known: u8) -> Result<(), Unreadable> {
        let [format] = self.take()?;
        if format == known {
            return Ok(());
        }
        let newer = if format > known { ": run the newer version that wrote it" } else { "" };
        Err(Unreadable(format!("{what} has format {format}; this version reads format {known}{newer}")))
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Unreadable> {
        let micros = i64::from_be_bytes(self.take()?);
        Timestamp::from_microsecond(micros)
            .map_err(|_| Unreadable("a record has a time that does not exist".to_owned()))
    }

    pub(super) fn row(&mut self) -> Result<IndexRow, Unreadable> {
        let [list] = self.take()?;
        let index = Index { list, owner: self.take()? };
        Ok(IndexRow { index, sort: u64::from_be_bytes(self.take()?) })
    }
}

#[cfg(test)]
mod tests;
