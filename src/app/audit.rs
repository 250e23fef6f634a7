//! Reading the audit trail: an administrator all of it, everybody else what concerns him.

use jiff::Timestamp;

use super::{Services, Tenant, caller::Caller, error::AppError, records::decode_event, sealed};
use crate::{
    domain::{
        audit::{Actor, Event},
        reason::Reason,
    },
    ports::store::Seq,
};

/// Events looked at for one page, so that a rare match can't make a request endless.
const SCAN: usize = 5_000;
/// Events fetched at a time.
const BATCH: usize = 500;

/// Which events. All conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The actor's id.
    pub actor: Option<String>,
    /// The delegator's id.
    pub delegator: Option<String>,
    /// The event's code or type.
    pub code: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// Numbered events, ascending.
pub struct AuditPage {
    /// The events.
    pub events: Vec<(Seq, Event)>,
    /// Continue behind this number; `None` at the end. A page may be empty and still have a next one.
    pub next: Option<Seq>,
    /// The number of the first event that is kept, or of the next one if none is.
    pub first: Seq,
}

/// A page of events behind `after` that fit the filter and that the caller may see.
pub async fn page(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    filter: &Filter,
    after: Seq,
    limit: usize,
) -> Result<AuditPage, AppError> {
    let (mut at, mut events, mut scanned) = (after, Vec::new(), 0);
    let first = Seq(sealed::dropped(&*services.store, &tenant.name).await? + 1);
    while scanned < SCAN {
        let batch = services.store.events(&tenant.name, at, BATCH).await?;
        let last_batch = batch.len() < BATCH;
        for stored in batch {
            at = stored.seq;
            scanned += 1;
            let event = decode_event(&stored)?;
            if filter.fits(&event) && may_see(caller, &event) {
                events.push((stored.seq, shown(caller, event)));
            }
            if events.len() == limit {
                return Ok(AuditPage { events, next: Some(at), first });
            }
        }
        if last_batch {
            return Ok(AuditPage { events, next: None, first });
        }
    }
    Ok(AuditPage { events, next: Some(at), first })
}

fn may_see(caller: &Caller, event: &Event) -> bool {
    let me = caller.user.as_str();
    let concerns = |kind: &str| matches!(kind, "user" | "agent" | "delegator");
    caller.administrator
        || event.actor.id == me
        || event.on_behalf_of.as_ref().is_some_and(|who| who.id == me)
        || event.outcome.result == "success" && event.target.iter().any(|t| t.id == me && concerns(&t.kind))
}

/// The event as the caller may know it. Exact reasons and the trace are an administrator's: to everybody else they
/// would tell apart what the refusal itself must not (no such user, or no grant).
fn shown(caller: &Caller, mut event: Event) -> Event {
    if !caller.administrator {
        event.outcome.reason = event.outcome.reason.map(coarse);
        event.policy.trace.clear();
    }
    event
}

/// The outside's code for an exact one; what stands in no table is no secret.
fn coarse(exact: String) -> String {
    Reason::ALL.iter().find(|r| r.code() == exact).map_or(exact, |r| r.public().code().to_owned())
}

impl Filter {
    fn fits(&self, event: &Event) -> bool {
        let is = |who: &Actor, id: &String| &who.id == id;
        let delegator = |id: &String| {
            event.on_behalf_of.as_ref().is_some_and(|who| is(who, id))
                || event.target.iter().any(|t| t.kind == "delegator" && &t.id == id)
        };
        self.actor.as_ref().is_none_or(|id| is(&event.actor, id))
            && self.delegator.as_ref().is_none_or(delegator)
            && self.code.as_ref().is_none_or(|code| &event.code == code || &event.kind == code)
            && self.from.is_none_or(|from| event.time >= from)
            && self.to.is_none_or(|to| event.time < to)
    }
}
