//! A login as a shared account itself: nobody acts on anybody's behalf, but the reservation's secret, which travels
//! where a delegation id would, proves who it is that logs in.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::timeout_at;

use super::{
    Desk,
    attempt::{Attempt, Ended, MOST_ANSWER, MOST_EVENT_ID, Prepared, Ready, Refusal},
};
use crate::{
    app::{
        epoch, records,
        reservations::{self, event_of},
        sealed,
    },
    domain::{
        audit::{Actor, Code},
        hook::{Candidate, Decision, Effect, HookRequest, Outcome, TraceLine},
        ids::{UserId, plain_text},
        lock::Lock,
        reason::Reason,
        reservation::{ReservationRef, ReservationSecret, Slot, State},
        shared_account::{DirectLogin, SharedAccount},
        user::User,
    },
    policy::shared_account,
    ports::store::{Change, Expect, Key, Record, Snapshot},
};

/// What a hook is about.
pub(super) enum Way {
    /// Nothing here: the token stays as it is.
    Plain,
    /// A delegation.
    Delegation,
    /// A login as a shared account, with a reservation's secret.
    Login(ReservationSecret),
    /// A token of a shared account for which there is none without a reservation.
    Refuse,
}

impl Desk {
    /// Which way the hook goes. On a refresh no reservation counts: it is good for one login.
    pub(super) fn way(request: &HookRequest<'_>, strict: bool) -> Way {
        match &request.candidate {
            Candidate::Reservation(secret) if request.grant_type.as_deref() != Some("refresh_token") => {
                ReservationSecret::parse(secret).map_or(Way::Refuse, Way::Login)
            }
            _ if strict => Way::Refuse,
            Candidate::None | Candidate::Reservation(_) => Way::Plain,
            Candidate::One(_) | Candidate::Ambiguous => Way::Delegation,
        }
    }

    /// True if it is, or may be, the token of a shared account that nobody gets without a reservation, whatever fails.
    pub(super) fn is_strict(&self, request: &HookRequest<'_>, body: &[u8]) -> bool {
        // Where no user is named, the account may still stand in the token's claims.
        let Some(agent) = request.agent.as_deref() else { return self.tenant.shared.may_refuse(Some(body)) };
        self.tenant.shared.get(agent).is_some_and(|account| account.direct_login == DirectLogin::Refuse)
    }
}

/// A reservation that fits the secret, and what is known of it.
struct Held<'a> {
    slot: Slot,
    record: &'a Record,
    reference: ReservationRef,
    holder: UserId,
}

impl Attempt {
    /// Answers a hook that has to do with us.
    pub(super) async fn go(self: Arc<Self>, way: Way) -> Ended {
        let decided = match way {
            Way::Delegation | Way::Plain => return self.run().await,
            Way::Refuse => Err(Reason::ReservationMissing.into()),
            Way::Login(secret) => self.log_in(&secret).await,
        };
        match decided {
            Ok(ended) => ended,
            Err(refusal) => self.refuse(refusal).await,
        }
    }

    async fn log_in(self: &Arc<Self>, secret: &ReservationSecret) -> Result<Ended, Refusal> {
        let account = self.account()?;
        let mut keys = vec![records::slot_of(&account), records::epoch_key(), sealed::head_key()];
        let mut tries = self.tries();
        while tries.again().await {
            let prepared = timeout_at(self.deadline(), self.prepare_login(secret, &account, &keys)).await;
            let ready = match prepared.map_err(|_| Refusal::from(Reason::Deadline))?? {
                Prepared::Replay(body) => return Ok(self.login_replayed(&account, body).await),
                Prepared::Ready(ready) => ready,
            };
            if let Some(body) = self.grant(*ready, &mut keys).await? {
                return Ok(Ended::Answered { body, outcome: Outcome::Granted });
            }
        }
        Err(Reason::Busy.into())
    }

    /// What a decision needs; a hook without it is refused before the store is asked.
    fn account(&self) -> Result<UserId, Reason> {
        let request = &self.request;
        if request.hybrid {
            return Err(Reason::HybridFlow);
        }
        if request.event_id.as_deref().is_none_or(|event| plain_text(event, MOST_EVENT_ID).is_err()) {
            return Err(Reason::MalformedHook);
        }
        if request.issuer.as_deref() != Some(self.desk.tenant.issuer.as_str()) {
            return Err(Reason::ForeignIssuer);
        }
        if request.access.is_none() && request.identity.is_none() {
            return Err(Reason::NoAccessToken);
        }
        request.agent.as_deref().and_then(|id| UserId::parse(id).ok()).ok_or(Reason::MalformedHook)
    }

    async fn prepare_login(
        self: &Arc<Self>,
        secret: &ReservationSecret,
        account: &UserId,
        keys: &[Key],
    ) -> Result<Prepared, Refusal> {
        let tenant = &self.desk.tenant;
        let snapshot = self.desk.services.store.read(&tenant.name, keys).await?;
        let read_at = tokio::time::Instant::now();
        let (epoch, epoch_record) = epoch::of(&snapshot)?;
        let held = match self.held(&snapshot, secret, account, epoch.number)? {
            Found::Used(at) => {
                return self.stored_answer(records::answer_key(records::slot_of(account), at)).await;
            }
            Found::Held(held) => held,
        };
        let locks = [account, &held.holder].map(records::lock_key);
        for key in &locks {
            if records::find::<Lock>(&snapshot, key)?.is_some() {
                return Err(Reason::Locked.into());
            }
        }
        let holder = match self.standing(tenant.shared.get(account.as_str()), &held.holder).await {
            Ok(holder) => holder,
            Err(reason) => {
                self.void(held.reference, reason).await;
                return Err(reason.into());
            }
        };
        let (version, mut ready) = (held.record.version, self.login(*held, &holder, &snapshot, epoch.number)?);
        let key = ready.key;
        ready.change.not_after = self.not_after(&snapshot, read_at);
        ready.change.expect =
            vec![(key, Expect::VersionLive(version)), (records::epoch_key(), Expect::Version(epoch_record.version))];
        ready.change.expect.extend(locks.map(|key| (key, Expect::Absent)));
        Ok(Prepared::Ready(Box::new(ready)))
    }

    /// The reservation that this secret is of. Whoever has another one learns nothing of it.
    fn held<'s>(
        &self,
        snapshot: &'s Snapshot,
        secret: &ReservationSecret,
        account: &UserId,
        epoch: u64,
    ) -> Result<Found<'s>, Refusal> {
        let key = records::slot_of(account);
        let (slot, record) = records::find::<Slot>(snapshot, &key)?.ok_or(Reason::ReservationMissing)?;
        let reference = slot.reference();
        let current = slot.current.as_ref().filter(|it| it.secret.as_ref() == Some(&secret.hash()));
        let current = current.ok_or(Reason::ReservationMissing)?;
        if current.epoch != epoch {
            return Err(Reason::EpochChanged.into());
        }
        if let State::Consumed(used) = &current.state {
            return Ok(used.answer_for(&self.delivery, snapshot.now).map(Found::Used).map_err(
                |reason| match reason {
                    Reason::AlreadyUsed => Reason::ReservationGone,
                    other => other,
                },
            )?);
        }
        let holder = current.holder.id.clone();
        slot.usable(&holder, epoch, snapshot.now)?;
        Ok(Found::Held(Box::new(Held { slot, record, reference, holder })))
    }

    /// The holder, if he may still use the account: both are active, and he is in its group.
    async fn standing(&self, shared: Option<&SharedAccount>, holder: &UserId) -> Result<User, Reason> {
        let shared = shared.ok_or(Reason::NotAMember)?;
        let standing = shared_account::standing(&*self.desk.tenant.directory_of_hooks, shared, holder).await?;
        Ok(standing.holder)
    }

    /// Makes a reservation void that has lost what it rests on; a task of its own, which is waited for while there is
    /// time.
    pub(super) async fn void(&self, reference: ReservationRef, why: Reason) {
        if !why.voids_reservation() {
            return;
        }
        let (services, tenant) = (Arc::clone(&self.desk.services), Arc::clone(&self.desk.tenant));
        let work = async move { reservations::invalidate(&services, &tenant, reference, why).await };
        let task = self.desk.services.tracker.spawn_on(work, &self.desk.services.runtime);
        // Whether it was written in time changes nothing: the hook is refused, and the next one would be.
        let _ = timeout_at(self.desk.last_moment(self.started), task).await;
    }

    fn login(&self, held: Held<'_>, holder: &User, snapshot: &Snapshot, epoch: u64) -> Result<Ready, Refusal> {
        let (services, tenant, now) = (&self.desk.services, &self.desk.tenant, snapshot.now);
        let Held { slot, reference, .. } = held;
        let key = records::slot_key(reference.slot);
        let patch = tenant.claims.reserved(&self.request, holder)?;
        let trace = vec![TraceLine { stage: "reservation".to_owned(), said: "continue".to_owned() }];
        let consumed = slot.consume(reference.generation, &holder.id, self.delivery.clone(), epoch, now)?;
        let mut event = self.bare_event(Code::HookGranted, now);
        event = event.on("reservation", &reference).on("user", &consumed.account.id);
        if let Some(used) = &consumed.current {
            event.actor = Actor::user(&used.holder);
        }
        event.policy.trace.clone_from(&trace);
        let event_id = event.id.as_str().to_owned();
        let used = event_of(services, &tenant.name, &consumed, event.actor.clone(), now);
        let used = used.map(|mut used| {
            used.client.clone_from(&event.client);
            used.request.clone_from(&event.request);
            used
        });
        // Only an anchor for auditors: one that can't be read must not stop anybody.
        let sealed = records::find(snapshot, &sealed::head_key()).ok().flatten().map(|(head, _)| head);
        let (effect, id) = (Effect::Patch(patch), Some(event_id.clone()));
        let decision = Decision { outcome: Outcome::Granted, effect, event: id, trace: trace.clone(), sealed };
        let answer = self.desk.dialect.encode(&self.request, &decision).body;
        if answer.len() > MOST_ANSWER {
            return Err(Refusal { reason: Reason::AnswerTooLarge, trace, delegation: None });
        }
        let events: Vec<_> = [event].into_iter().chain(used).collect();
        let change = Change {
            puts: vec![records::put_slot(&consumed)?, records::put_answer(key, now, &answer)],
            events: records::encode_events(&events)?,
            ..Change::new(services.change_id(), now)
        };
        Ok(Ready { change, key, answer, event: event_id })
    }

    async fn login_replayed(self: &Arc<Self>, account: &UserId, body: String) -> Ended {
        let (me, account) = (Arc::clone(self), account.clone());
        let event = move |now| me.bare_event(Code::HookReplayed, now).on("user", &account);
        let until = self.desk.last_moment(self.started);
        self.desk.services.record_until(&self.desk.tenant, until, move |now| vec![event(now)]).await;
        Ended::Answered { body, outcome: Outcome::Replayed }
    }
}

/// What a secret is of.
enum Found<'a> {
    /// A reservation that can be used now.
    Held(Box<Held<'a>>),
    /// One that this very delivery used, then.
    Used(Timestamp),
}
