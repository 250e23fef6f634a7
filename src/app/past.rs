//! Reads a list on past what can't be read: a record of a newer version, or a damaged one, must not keep those behind
//! it from being seen to. For the reaper and for senders; what is decided never comes from a list.

use jiff::Timestamp;

use super::{Services, error::AppError, kinds, listing::Cursor};
use crate::{
    domain::ids::TenantName,
    ports::store::{Index, Key, Kind, Page, Record},
};

/// Where to go on in a list of which a look read nothing but what can't be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    after: Option<Cursor>,
    passed: usize,
}

/// What could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many records, as far as the look came.
    pub count: usize,
    /// The first of them, for people: its kind, and what the store says of it. Never what is in it.
    pub first: Option<String>,
}

impl Unread {
    fn add(&mut self, kind: Kind, why: Option<String>) {
        self.count += 1;
        self.first.get_or_insert_with(|| why.unwrap_or_else(|| format!("a record{} can't be read", kinds::of(kind))));
    }

    /// This and the other's.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.count += other.count;
        self.first = self.first.or(other.first);
        self
    }
}

/// A look at a list from its beginning, or from the place where the last one stopped.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Which list.
    pub index: Index,
    /// Rows up to here.
    pub up_to: u64,
    /// Rows of one read.
    pub rows: usize,
    /// It ends after so many records that can be read …
    pub enough: usize,
    /// … or after so many reads.
    pub reads: usize,
}

/// What a look found.
#[derive(Debug)]
pub struct Seen<T> {
    /// What was made of the records.
    pub items: Vec<T>,
    /// There may be more behind them.
    pub more: bool,
    /// What was passed by.
    pub unread: Unread,
}

impl Look {
    /// Looks; `item` says what a record comes to, at that time of the store. Its error is that the record can't be read.
    pub async fn past<T, E>(
        self,
        services: &Services,
        tenant: &TenantName,
        place: &mut Place,
        mut item: impl FnMut(Key, &Record, Timestamp) -> Result<Option<T>, E>,
    ) -> Result<Seen<T>, AppError> {
        let mut seen = Seen { items: Vec::new(), more: false, unread: Unread::default() };
        let (mut after, mut readable) = (place.after, 0);
        seen.unread.count = place.passed;
        for read in 1.. {
            let page = Page { up_to: self.up_to, after, limit: self.rows };
            let page = services.store.list(tenant, self.index, page).await?;
            for (_, key, record) in &page.rows {
                let record = match record {
                    Ok(record) => record,
                    Err(why) => {
                        seen.unread.add(key.kind, Some(why.to_string()));
                        continue;
                    }
                };
                match item(*key, record, page.now) {
                    Ok(made) => {
                        seen.items.extend(made);
                        readable += 1;
                    }
                    // Why may quote the record.
                    Err(_) => seen.unread.add(key.kind, None),
                }
            }
            after = page.end();
            if !page.more || after.is_none() {
                *place = Place::default();
                return Ok(seen);
            }
            if readable >= self.enough || read >= self.reads {
                break;
            }
        }
        seen.more = true;
        // As long as there is something to do behind the old place, the next look begins there, too.
        if seen.items.is_empty() && seen.unread.count > place.passed {
            *place = Place { after, passed: seen.unread.count };
        }
        Ok(seen)
    }
}
