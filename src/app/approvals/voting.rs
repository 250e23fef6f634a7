//! A vote. Who may is asked of the directory each time.

use tracing::Instrument as _;

use super::{Found, Me, Refused, commit, events, read_to_decide, records, refuse, settle, unlocked, voter};
use crate::{
    app::{Services, Tenant, caller::Caller, commit::Settled, epoch, error::AppError, part::Part},
    domain::{
        approval::{Approval, ApprovalId, Ballot, Choice, Signed},
        audit::Event,
        chain::Digest,
        reason::Reason,
    },
    ports::store::{Expect, Key, Put, Snapshot},
    trace,
};

/// What somebody says.
#[derive(Debug, Clone)]
pub struct Cast {
    /// Yes or no.
    pub choice: Choice,
    /// The version of the request that he saw.
    pub version: u32,
    /// Why.
    pub comment: Option<String>,
}

/// A signature that was verified, and what its use takes: a nonce that is marked used, a key that still stands. All of
/// it goes into the vote's commit.
#[derive(Debug, Clone)]
pub struct Verified {
    /// What is kept with the vote.
    pub signed: Signed,
    /// The digest that was signed.
    pub digest: Digest,
    /// What must hold.
    pub expect: Vec<(Key, Expect)>,
    /// What is written.
    pub puts: Vec<Put>,
}

/// Counts a vote. `proof` is the caller's verified signature over this request and this choice.
pub async fn vote(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    id: ApprovalId,
    cast: Cast,
    proof: Option<Verified>,
) -> Result<Approval, AppError> {
    let (found, snapshot) = read_to_decide(services, tenant, caller, id).await?;
    let me = voter(services, tenant, caller, &found, "vote").await?;
    let run = Voting { services, tenant, caller, me: &me, cast: &cast, proof: proof.as_ref() };
    let span = tracing::trace_span!(target: trace::TARGET, "approval.vote", tenant = %tenant.name);
    let span = trace::continued(span, found.approval.trace.as_ref());
    run.count(found, snapshot).instrument(span).await
}

struct Voting<'a> {
    services: &'a Services,
    tenant: &'a Tenant,
    caller: &'a Caller,
    me: &'a Me,
    cast: &'a Cast,
    proof: Option<&'a Verified>,
}

impl Voting<'_> {
    async fn count(&self, mut found: Found, mut snapshot: Snapshot) -> Result<Approval, AppError> {
        let epoch_key = crate::app::records::epoch_key();
        let mut tries = self.services.tries();
        while tries.again().await {
            let lock = unlocked(self.services, self.tenant, self.caller, &found, &snapshot, "vote").await?;
            let after = match self.judge(&found) {
                Ok(after) => after,
                Err(no) => return Err(self.refused(&found, no).await),
            };
            let (epoch, record) = epoch::of(&snapshot)?;
            if epoch.number != found.approval.epoch {
                return Err(self.refused(&found, Refused::EpochChanged).await);
            }
            let Some(vote) = after.votes.last() else { return Err(Reason::Internal.into()) };
            let events: Vec<Event> = events::voted(self.services, &self.tenant.name, &after, vote)
                .into_iter()
                .map(|event| event.in_request(self.caller.request.as_deref()))
                .collect();
            let after = self.countersigned(after, &events)?;
            let expect = vec![(epoch_key, Expect::Version(record.version)), lock];
            let mut more = Part { expect, events, ..Part::default() };
            if let Some(proof) = self.proof {
                more.expect.extend(&proof.expect);
                more.puts.extend(proof.puts.iter().cloned());
            }
            match commit(self.services, self.tenant, &found, &after, more).await? {
                Settled::Stands => return Ok(after),
                Settled::Overtaken(key) if key == found.key || key == epoch_key || key == lock.0 => {}
                Settled::Overtaken(_) => return Err(self.refused(&found, Refused::ProofSpent).await),
            }
            (found, snapshot) = read_to_decide(self.services, self.tenant, self.caller, found.approval.id).await?;
        }
        Err(Reason::Busy.into())
    }

    fn judge(&self, found: &Found) -> Result<Approval, Refused> {
        if self.proof.is_some_and(|proof| proof.digest != found.approval.request_digest()) {
            return Err(Refused::VersionChanged);
        }
        let Cast { choice, version, comment } = self.cast.clone();
        let ballot = Ballot { choice, version, comment, signed: self.proof.map(|proof| proof.signed.clone()) };
        let voted = found.approval.clone().vote(&self.me.voter(self.caller), ballot, found.now);
        let after = voted.map_err(Refused::from)?;
        if records::has_room(&after, true) { Ok(after) } else { Err(Refused::NoRoom) }
    }

    /// With the service's signature, which names the event that tells of the vote.
    fn countersigned(&self, after: Approval, events: &[Event]) -> Result<Approval, AppError> {
        let unsigned = || AppError::from(Reason::Internal);
        let event = events.first().ok_or_else(unsigned)?;
        let signer = self.services.signing.signer();
        let sealed =
            after.countersigned(&self.tenant.name, event.id.as_str(), &signer.public_key(), |m| signer.sign(m));
        sealed.map_err(|_| unsigned())
    }

    async fn refused(&self, found: &Found, no: Refused) -> AppError {
        settle(self.services, self.tenant, found).await;
        refuse(self.services, self.tenant, self.caller, &found.approval, "vote", no.code(), no.into()).await
    }
}
