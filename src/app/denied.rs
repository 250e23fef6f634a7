//! Attempts at what only an administrator may do.

use super::{Services, Tenant, caller::Caller, error::AppError};
use crate::domain::audit::{Actor, Code};

impl Services {
    /// Writes the attempt down and gives the refusal; whether it could be written doesn't change the refusal. `whom`
    /// is what the caller named: it may name nobody, and whom it names learns nothing of it.
    pub(super) async fn denied(&self, tenant: &Tenant, caller: &Caller, operation: &str, whom: &str) -> AppError {
        self.record(tenant, |now| {
            self.event(&tenant.name, Code::AccessDenied, Actor::user_id(caller.user.as_str()), now)
                .failed_with("administrator-only")
                .in_request(caller.request.as_deref())
                .on("user", &whom)
                .detail("operation", operation)
        })
        .await;
        AppError::AdministratorOnly
    }
}
