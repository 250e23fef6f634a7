//! A store full of delegations that wait for their hooks, written as the service writes them.

use std::error::Error;

use behalf::{
    adapters::system::{OsEntropy, SystemClock},
    app::records::{self, Epoch, Roster},
    domain::{
        audit::{Actor, Code, Event},
        delegation::{Binding, Delegation, Party, State},
        ids::{ClientId, DelegationId, DelegationRef, EventId, Issuer, Login, TenantName, UserId},
    },
    ports::{
        clock::Clock as _,
        entropy,
        store::{Change, ChangeId, Committed, Expect, Put, Store},
    },
};
use jiff::{SignedDuration, Timestamp};

/// Whatever went wrong.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// How many users act for others. Each has a delegator, and a roster if he ever began a delegation.
pub(crate) const AGENTS: usize = 10_000;
/// How many users they act for.
pub(crate) const DELEGATORS: usize = 100;
/// The client of all hooks.
pub(crate) const CLIENT: &str = "0oaPaymentsApp";
/// Delegations in one commit while the store is filled.
const CHUNK: usize = 1000;

/// A delegation that waits.
pub(crate) struct Pending {
    pub(crate) id: DelegationId,
    /// Whose.
    pub(crate) agent: usize,
}

pub(crate) fn agent(number: usize) -> String {
    format!("00uagent{number:06}")
}

pub(crate) fn delegator(number: usize) -> String {
    format!("00udelegator{:03}", number % DELEGATORS)
}

fn party(id: &str) -> Result<Party, Fault> {
    Ok(Party { id: UserId::parse(id)?, login: Login::parse(&format!("{id}@example.test"))? })
}

/// Commits, and makes anything but `Done` a fault.
pub(crate) async fn commit(store: &dyn Store, puts: Vec<Put>, events: &[Event]) -> Result<(), Fault> {
    let change = Change {
        expect: puts.iter().map(|put| (put.key, Expect::Absent)).collect(),
        puts,
        events: records::encode_events(events)?,
        ..Change::new(ChangeId(entropy::bytes(&OsEntropy)), SystemClock.now() + SignedDuration::from_mins(10))
    };
    match store.commit(&TenantName::default_tenant(), change).await? {
        Committed::Done(_) => Ok(()),
        other => Err(format!("the store could not be filled: {other:?}").into()),
    }
}

/// Fills an empty store: its epoch, the agents' rosters, and `count` delegations, as if begun within the last minute.
/// They live for two hours, so that none ends under the measurement.
pub(crate) async fn populate(store: &dyn Store, issuer: &str, count: usize) -> Result<Vec<Pending>, Fault> {
    let tenant = TenantName::default_tenant();
    let epoch = records::put_epoch(&Epoch { number: 1, incarnation: store.incarnation(&tenant).await? })?;
    commit(store, vec![epoch], &[]).await?;
    let end = SystemClock.now();
    let rosters = (0..AGENTS).map(|number| {
        Ok(records::put_roster(
            &UserId::parse(&agent(number))?,
            &Roster::default(),
            end + SignedDuration::from_hours(2),
        )?)
    });
    commit(store, rosters.collect::<Result<_, Fault>>()?, &[]).await?;
    let mut waiting = Vec::with_capacity(count);
    let per = i64::try_from(count)?;
    while waiting.len() < count {
        let (mut puts, mut events) = (Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK));
        for number in waiting.len()..count.min(waiting.len() + CHUNK) {
            let ago = SignedDuration::from_micros(60_000_000 * (per - i64::try_from(number)?) / per);
            let id = DelegationId::mint(end - ago, entropy::bytes(&OsEntropy));
            let (put, event) = begun(issuer, number % AGENTS, &id, end - ago)?;
            puts.push(put);
            events.push(event);
            waiting.push(Pending { id, agent: number % AGENTS });
        }
        commit(store, puts, &events).await?;
    }
    Ok(waiting)
}

fn begun(issuer: &str, number: usize, id: &DelegationId, created: Timestamp) -> Result<(Put, Event), Fault> {
    let (agent, delegator) = (party(&agent(number))?, party(&delegator(number))?);
    let delegation = Delegation {
        binding: Binding { issuer: Issuer::parse(issuer)?, agent, client: ClientId::parse(CLIENT)? },
        delegator,
        scopes: ["openid", "payments.read"].map(str::to_owned).into(),
        reason: Some("Quarterly report".to_owned()),
        ticket: None,
        rule: None,
        approval: None,
        reservation: None,
        trace: None,
        epoch: 1,
        created,
        expires: created + SignedDuration::from_hours(2),
        state: State::Pending,
    };
    let event_id = EventId::mint(created, entropy::bytes(&OsEntropy));
    let actor = Actor::user(&delegation.binding.agent);
    let event = Event::new(Code::DelegationInitiated, &TenantName::default_tenant(), actor, event_id, created)
        .on_behalf_of(&delegation.delegator)
        .on("delegation", &DelegationRef(id.record()))
        .through(CLIENT)
        .changed(None, "PENDING")
        .detail("reason", "Quarterly report");
    Ok((records::put_delegation(records::delegation_key(id.record()), &delegation)?, event))
}

/// Puts the items in a random order, the same one in each run.
pub(crate) fn shuffle<T>(items: &mut [T]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for at in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(at, usize::try_from(state % (at as u64 + 1)).unwrap_or(0));
    }
}
