//! What the reaper does with approvals: writes down what deadlines ended.

use jiff::Timestamp;

use super::{events, records};
use crate::{
    app::Services,
    domain::{approval::Approval, audit::Event, ids::TenantName},
    ports::store::{Put, Record, StoreError},
};

/// The end of an approval that is due; `None`: nothing yet.
pub fn lapse(
    services: &Services,
    tenant: &TenantName,
    record: &Record,
    now: Timestamp,
) -> Result<Option<(Put, Vec<Event>)>, StoreError> {
    let approval: Approval = crate::app::records::decode(record)?;
    let Some(after) = approval.lapse(now) else { return Ok(None) };
    let events = events::lapsed(services, tenant, &approval, &after, now, "reaper");
    Ok(Some((records::put(&after)?, events)))
}
