//! A refused initiation, written down.

use super::Request;
use crate::{
    app::{Services, Tenant, caller::Caller, error::AppError},
    domain::{
        audit::{Actor, Code},
        delegation::Party,
        ids::{ClientId, UserRef},
        reason::Reason,
    },
    policy::People,
};

/// Writes the refusal down, exactly; the caller gets the coarse one. Whether the event could be written doesn't
/// change the refusal.
pub(super) async fn refused(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    client: &ClientId,
    request: &Request,
    people: Option<&People>,
    reason: Reason,
) -> AppError {
    let asked = match &request.delegator {
        UserRef::Id(id) => id.to_string(),
        UserRef::Login(login) | UserRef::Either(login) => login.to_string(),
    };
    services
        .record(tenant, |now| {
            let event = services
                .event(&tenant.name, Code::DelegationRefused, Actor::user_id(caller.user.as_str()), now)
                .failed(reason)
                .through(client.as_str())
                .in_request(caller.request.as_deref())
                .on("user", &asked);
            match people {
                None => event,
                Some(p) => event.on_behalf_of(&Party::of(&p.delegator)),
            }
        })
        .await;
    reason.into()
}
