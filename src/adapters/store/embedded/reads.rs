//! Reads of one snapshot. They run where they are asked for: a few microseconds from the page cache.

use std::{collections::HashMap, ops::Bound};

use redb::{ReadTransaction, ReadableTable};

use super::{
    fault::Fault,
    layout::{
        EVENTS, HEADER_KEY, Header, INDEX, META, Meta, RECORDS, event_key, event_seq, index_end, index_key,
        index_start, index_tail, record_key,
    },
};
use crate::{
    adapters::store::{bounds::MOST_LISTED, format::Head},
    domain::ids::TenantName,
    ports::store::{Index, IndexRow, Key, Page, Record, Row, Seq, Stored},
};

/// Those of the records that exist.
pub(super) fn records(txn: &ReadTransaction, tenant: &TenantName, keys: &[Key]) -> Result<HashMap<Key, Record>, Fault> {
    let table = txn.open_table(RECORDS)?;
    let mut found = HashMap::with_capacity(keys.len());
    for key in keys {
        if let Some(bytes) = table.get(record_key(tenant, *key).as_slice())? {
            found.insert(*key, Head::decode(key.kind, bytes.value())?.to_record());
        }
    }
    Ok(found)
}

/// A page's rows, and whether there are more.
pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    pub(super) more: bool,
}

/// A page of an index.
pub(super) fn list(txn: &ReadTransaction, tenant: &TenantName, index: Index, page: Page) -> Result<Found, Fault> {
    let limit = page.limit.clamp(1, MOST_LISTED);
    let start = match page.after {
        Some((sort, key)) => Bound::Excluded(index_key(tenant, IndexRow { index, sort }, key)),
        None => Bound::Included(index_start(tenant, index, 0)),
    };
    let end = index_end(tenant, index, page.up_to);
    let mut rows = Vec::new();
    if matches!(&start, Bound::Excluded(at) if *at >= end) {
        return Ok(Found { rows, more: false });
    }
    let (table, records) = (txn.open_table(INDEX)?, txn.open_table(RECORDS)?);
    for row in table.range::<&[u8]>((start.as_ref().map(Vec::as_slice), Bound::Excluded(end.as_slice())))? {
        if rows.len() == limit {
            return Ok(Found { rows, more: true });
        }
        let (sort, key) = index_tail(row?.0.value())?;
        // Rows are written and dropped with their record: one without is damage, and hides nothing.
        if let Some(bytes) = records.get(record_key(tenant, key).as_slice())? {
            rows.push((sort, key, Head::decode(key.kind, bytes.value()).map(|head| head.to_record())));
        }
    }
    Ok(Found { rows, more: false })
}

/// Events behind `after`.
pub(super) fn events(
    txn: &ReadTransaction,
    tenant: &TenantName,
    after: Seq,
    limit: usize,
) -> Result<Vec<Stored>, Fault> {
    if after.0 == u64::MAX {
        return Ok(Vec::new());
    }
    let (start, end) = (event_key(tenant, after), event_key(tenant, Seq(u64::MAX)));
    let table = txn.open_table(EVENTS)?;
    let range = table.range::<&[u8]>((Bound::Excluded(start.as_slice()), Bound::Included(end.as_slice())))?;
    range
        .take(limit.clamp(1, MOST_LISTED))
        .map(|row| {
            let (key, body) = row?;
            Ok(Stored { seq: event_seq(key.value())?, body: body.value().to_vec() })
        })
        .collect()
}

/// The file's header.
pub(super) fn header(txn: &ReadTransaction) -> Result<Header, Fault> {
    let found = txn.open_table(META)?.get(HEADER_KEY)?;
    Header::decode(found.ok_or_else(no_header)?.value())
}

fn no_header() -> Fault {
    Fault::Unreadable("the file has no header".to_owned())
}

/// The file's header and every tenant's counters.
pub(super) fn meta(txn: &ReadTransaction) -> Result<(Header, Vec<(TenantName, Meta)>), Fault> {
    let table = txn.open_table(META)?;
    let (mut header, mut tenants) = (None, Vec::new());
    for row in table.iter()? {
        let (name, bytes) = row?;
        if name.value() == HEADER_KEY {
            header = Some(Header::decode(bytes.value())?);
            continue;
        }
        let tenant = TenantName::parse(name.value())
            .map_err(|e| Fault::Unreadable(format!("a tenant's name in the file {e}")))?;
        tenants.push((tenant, Meta::decode(bytes.value())?));
    }
    let header = header.ok_or_else(no_header)?;
    Ok((header, tenants))
}
