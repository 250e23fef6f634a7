//! Pages of what an index lists, newest first.

use super::{Services, Tenant, error::AppError};
use crate::ports::store::{Index, Key, ListPage, Page, Record};

/// A position in an index, for paging.
pub type Cursor = (u64, Key);

/// A page, and where the next one begins.
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// Behind the last one; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Listed<T> {
    /// Nothing, and nothing behind it.
    pub fn nothing() -> Self {
        Self { items: Vec::new(), next: None }
    }

    /// The items of a page's rows; a row that gives none is left out, so that a page may be short.
    pub fn of(
        found: &ListPage,
        mut item: impl FnMut(&Key, &Record) -> Result<Option<T>, AppError>,
    ) -> Result<Self, AppError> {
        let next = found.rows.last().filter(|_| found.more).map(|(sort, key, _)| (*sort, *key));
        let items = found.rows.iter().filter_map(|(_, key, record)| item(key, record).transpose());
        Ok(Self { items: items.collect::<Result<_, _>>()?, next })
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
