//! Challenges: what a signature begins with.

use super::{Me, Refused, read_to_decide, refuse, unlocked, voter};
use crate::{
    app::{
        Services, Tenant, caller::Caller, commit::Settled, error::AppError, keys::records as key_records,
        records as all,
    },
    domain::{
        approval::{
            ApprovalId, Choice,
            challenge::Challenge,
            signature::{self, Nonce},
        },
        audit::{Actor, Code},
        chain::FormError,
        delegation::Party,
        reason::Reason,
    },
    ports::{
        entropy,
        store::{Change, Expect},
    },
};

/// A challenge that was just made. The nonce is told this once.
pub struct Issued {
    /// Its random part.
    pub nonce: Nonce,
    /// What it is for.
    pub challenge: Challenge,
    /// The canonical request.
    pub binding: String,
    /// What a key signs, in canonical JSON.
    pub statement: String,
}

/// Makes a challenge for the caller's decision about this request, if his vote would count now.
pub async fn challenge(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    id: ApprovalId,
    choice: Choice,
) -> Result<Issued, AppError> {
    let (found, snapshot) = read_to_decide(services, tenant, caller, id).await?;
    let me: Me = voter(services, tenant, caller, &found, "challenge").await?;
    let lock = unlocked(services, tenant, caller, &found, &snapshot, "challenge").await?;
    let approval = &found.approval;
    if let Err(refusal) = approval.may_vote(&me.voter(caller), approval.version, found.now) {
        let no = Refused::from(refusal);
        return Err(refuse(services, tenant, caller, approval, "challenge", no.code(), no.into()).await);
    }
    let nonce = Nonce(entropy::bytes(&*services.entropy));
    let challenge = Challenge::new(me.user.id.clone(), approval, choice, found.now);
    let statement = challenge.statement(&nonce, &id.to_string()).payload().map_err(|error| unwritable(&error))?;
    let by = Party::of(&me.user);
    let event = super::events::about(services, &tenant.name, Code::Challenged, Actor::user(&by), approval, found.now)
        .in_request(caller.request.as_deref())
        .detail("decision", choice.code());
    let put = key_records::put_challenge(&nonce, &challenge)?;
    let key = put.key;
    let change = Change {
        expect: vec![(key, Expect::Absent), lock],
        puts: vec![put],
        events: all::encode_events(&[event])?,
        ..Change::new(services.change_id(), services.not_after(found.now, tenant))
    };
    match services.settle(&tenant.name, change, key).await? {
        Settled::Stands => Ok(Issued { nonce, challenge, binding: approval.binding.clone(), statement }),
        Settled::Overtaken(key) if key == lock.0 => Err(Reason::Locked.into()),
        Settled::Overtaken(_) => Err(Reason::StoreUnavailable.into()),
    }
}

impl Issued {
    /// The challenge's bytes.
    pub fn bytes(&self) -> [u8; 32] {
        signature::challenge(self.challenge.decision, &self.nonce, &self.challenge.digest)
    }
}

fn unwritable(error: &FormError) -> AppError {
    AppError::Failed { reason: Reason::Internal, internal: format!("a statement can't be written: {error}") }
}
