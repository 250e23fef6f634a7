//! Pages of what an index lists, newest first.

use super::{Services, Tenant, error::AppError};
use crate::ports::store::{Index, Key, ListPage, Page, Record, StoreError};

/// A position in an index, for paging.
pub type Cursor = (u64, Key);

/// A page, and where the next one begins.
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// Behind the last one; `None` at the end.
    pub next: Option<Cursor>,
    /// Rows of the page that can't be read, and are left out.
    pub unreadable: usize,
}

impl<T> Listed<T> {
    /// Nothing, and nothing behind it.
    pub fn nothing() -> Self {
        Self { items: Vec::new(), next: None, unreadable: 0 }
    }

    /// The items of a page's rows; a row that gives none is left out, so that a page may be short. One that can't be
    /// read is left out, too, and counted: it hides neither the others nor that it is there.
    pub fn of(found: &ListPage, mut item: impl FnMut(&Key, &Record) -> Result<Option<T>, StoreError>) -> Self {
        let next = found.end().filter(|_| found.more);
        let (mut items, mut unreadable) = (Vec::with_capacity(found.rows.len()), 0);
        for (_, key, record) in &found.rows {
            match record.as_ref().map(|record| item(key, record)) {
                Ok(Ok(made)) => items.extend(made),
                Ok(Err(_)) | Err(_) => unreadable += 1,
            }
        }
        Self { items, next, unreadable }
    }
}

/// The page behind `after`.
pub(super) async fn page(
    services: &Services,
    tenant: &Tenant,
    index: Index,
    after: Option<Cursor>,
    limit: usize,
) -> Result<ListPage, AppError> {
    Ok(services.store.list(&tenant.name, index, Page { up_to: u64::MAX, after, limit }).await?)
}
