//! Whether a signature holds, before a vote counts with it.
//!
//! The nonce is marked used in the vote's own commit. Where the signature fails, it is marked used as well, in a commit
//! of its own: nobody tries twice with one challenge.

use super::{Found, Verified, events, read_to_decide, records, unlocked, voter};
use crate::{
    app::{
        Services, Tenant, caller::Caller, error::AppError, grants::find_user, keys::records as key_records,
        records as all,
    },
    domain::{
        approval::{
            ApprovalId, Choice, Signed,
            challenge::Challenge,
            keys::KeyRing,
            signature::{Fault, Nonce, check_typed, is_fresh, kid_of, verify_detached},
        },
        audit::{Actor, Code},
        ids::UserRef,
        reason::Reason,
        user::User,
    },
    ports::store::{Change, Expect, Key, Record, Snapshot},
};

/// What the approver sends.
#[derive(Debug, Clone)]
pub struct Signature {
    /// The challenge's nonce.
    pub nonce: String,
    /// How he signs.
    pub how: How,
}

/// How somebody signs.
#[derive(Debug, Clone)]
pub enum How {
    /// A fresh sign-in, his name and the meaning of it.
    Typed {
        /// His full name.
        name: String,
        /// The sentence.
        meaning: String,
    },
    /// A detached JWS.
    Jws(String),
}

/// Verifies the caller's signature over this request and this decision. What comes of it goes into the vote.
pub async fn prove(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    id: ApprovalId,
    choice: Choice,
    signature: &Signature,
) -> Result<Verified, AppError> {
    let run = Proving { services, tenant, caller, id, choice };
    // A sign-in that is too old is no attempt at anything: he signs in, and comes again.
    if matches!(signature.how, How::Typed { .. }) && is_fresh(caller.auth_time, services.clock.now()).is_none() {
        return Err(Fault::NotFresh.into());
    }
    // Who may not decide anyhow writes nothing about a signature into the trail of others' approvals, and spends nothing.
    let (found, snapshot) = read_to_decide(services, tenant, caller, id).await?;
    voter(services, tenant, caller, &found, "vote").await?;
    unlocked(services, tenant, caller, &found, &snapshot, "vote").await?;
    let Ok(nonce) = signature.nonce.parse::<Nonce>() else {
        return Err(run.failed(Fault::ChallengeUnknown).await);
    };
    let (challenge_at, ring_at) = (key_records::nonce_key(&nonce), key_records::ring_key(&caller.user));
    let snapshot = services.store.read(&tenant.name, &[challenge_at, ring_at, records::key(id)]).await?;
    let Some((challenge, record)) = all::find::<Challenge>(&snapshot, &challenge_at)? else {
        return Err(run.failed(Fault::ChallengeUnknown).await);
    };
    let Some(found) = Found::in_snapshot(&snapshot, id)? else {
        return Err(run.failed(Fault::ChallengeMismatch).await);
    };
    match challenge.check(&caller.user, &found.approval, choice, snapshot.now) {
        Ok(()) => {}
        // His own, and for something else: whatever he meant by it, it is spent.
        Err(fault @ (Fault::ChallengeMismatch | Fault::DigestMismatch)) => {
            return Err(run.spoiled(fault, &nonce, challenge, record, &found).await);
        }
        Err(fault) => return Err(run.failed(fault).await),
    }
    let mut expect = vec![(challenge_at, Expect::VersionLive(record.version))];
    let signed = match &signature.how {
        How::Typed { name, meaning } => run.typed(&challenge, nonce, name, meaning).await?,
        How::Jws(jws) => {
            let (signed, ring) = run.by_key(&challenge, nonce, jws, &snapshot, ring_at)?;
            expect.extend(ring);
            signed
        }
    };
    let signed = match signed {
        Ok(signed) => signed,
        Err(fault) => return Err(run.spoiled(fault, &nonce, challenge, record, &found).await),
    };
    let digest = challenge.digest;
    let puts = vec![key_records::put_challenge(&nonce, &challenge.spent(snapshot.now))?];
    Ok(Verified { signed, digest, expect, puts })
}

struct Proving<'a> {
    services: &'a Services,
    tenant: &'a Tenant,
    caller: &'a Caller,
    id: ApprovalId,
    choice: Choice,
}

/// A signature that holds, or why it doesn't.
type Tried = Result<Signed, Fault>;

impl Proving<'_> {
    async fn typed(&self, challenge: &Challenge, nonce: Nonce, name: &str, meaning: &str) -> Result<Tried, AppError> {
        let user = find_user(&*self.tenant.directory, &UserRef::Id(self.caller.user.clone())).await?;
        let user: User = user.ok_or(AppError::NotFound("approval"))?;
        let Some(auth_time) = is_fresh(self.caller.auth_time, self.services.clock.now()) else {
            return Ok(Err(Fault::NotFresh));
        };
        Ok(check_typed(&user, self.choice, name, meaning).map(|()| Signed::Typed {
            nonce,
            digest: challenge.digest,
            name: name.to_owned(),
            meaning: meaning.to_owned(),
            auth_time,
            amr: self.caller.amr.clone(),
        }))
    }

    /// The signature, and what must still hold of the key when the vote is committed.
    fn by_key(
        &self,
        challenge: &Challenge,
        nonce: Nonce,
        jws: &str,
        snapshot: &Snapshot,
        ring_at: Key,
    ) -> Result<(Tried, Option<(Key, Expect)>), AppError> {
        let Some((ring, record)) = all::find::<KeyRing>(snapshot, &ring_at)? else {
            return Ok((Err(Fault::KeyUnknown), None));
        };
        let payload = challenge.statement(&nonce, &self.id.to_string()).payload();
        let payload = payload.map_err(|_| Reason::Internal)?;
        let tried = || {
            let kid = kid_of(jws)?;
            let key = ring.signing_key(&kid, challenge.issued, self.tenant.keys.cooldown)?;
            verify_detached(jws, &key.jwk, &kid, &payload)?;
            let (registered, key) = (key.registered, key.jwk);
            Ok(Signed::Jws { nonce, kid: key.kid(), key, registered, payload: payload.clone(), jws: jws.to_owned() })
        };
        Ok((tried(), Some((ring_at, Expect::Version(record.version)))))
    }

    /// Writes the attempt down. The challenge, if there is one, isn't his, or can't be used any more anyhow.
    async fn failed(&self, fault: Fault) -> AppError {
        let Self { services, tenant, caller, .. } = self;
        services
            .record(tenant, |now| {
                services
                    .event(&tenant.name, Code::SignatureRefused, Actor::user_id(caller.user.as_str()), now)
                    .failed_with(fault.code())
                    .on("approval", &self.id)
                    .in_request(caller.request.as_deref())
                    .detail("decision", self.choice.code())
            })
            .await;
        fault.into()
    }

    /// Marks the challenge used, with the event that tells why. Somebody who was faster did the same.
    async fn spoiled(
        &self,
        fault: Fault,
        nonce: &Nonce,
        challenge: Challenge,
        record: &Record,
        found: &Found,
    ) -> AppError {
        match self.try_spoil(fault, nonce, challenge, record, found).await {
            Ok(()) => fault.into(),
            Err(error) => error,
        }
    }

    async fn try_spoil(
        &self,
        fault: Fault,
        nonce: &Nonce,
        challenge: Challenge,
        record: &Record,
        found: &Found,
    ) -> Result<(), AppError> {
        let Self { services, tenant, caller, .. } = self;
        let actor = Actor::user_id(caller.user.as_str());
        let event = events::about(services, &tenant.name, Code::SignatureRefused, actor, &found.approval, found.now)
            .failed_with(fault.code())
            .in_request(caller.request.as_deref())
            .detail("decision", self.choice.code());
        let put = key_records::put_challenge(nonce, &challenge.spent(found.now))?;
        let key = put.key;
        let change = Change {
            expect: vec![(key, Expect::Version(record.version))],
            puts: vec![put],
            events: all::encode_events(&[event])?,
            ..Change::new(services.change_id(), services.not_after(found.now, tenant))
        };
        services.settle(&tenant.name, change, key).await?;
        Ok(())
    }
}
