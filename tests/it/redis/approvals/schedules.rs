//! The races. Each is about an approval of its own; nothing is started anew between two of them.

use futures_util::future::{BoxFuture, join_all};

use super::{
    acts::Acts,
    rig::{For, USES},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Race {
    /// Three people vote four times, where two must agree.
    Quorum,
    /// A yes, a no, and the requester takes it back.
    Decision,
    /// Four hooks for two uses, and a revocation.
    Uses,
    /// A hook that uses up approval and reservation, while one of the two is taken away.
    Both,
}

impl Race {
    pub(super) fn of(nth: usize) -> Self {
        [Self::Quorum, Self::Decision, Self::Uses, Self::Both][nth % 4]
    }
}

/// How it ended; `None`: the machine was too busy for clear answers. What must hold is asserted.
pub(super) async fn schedule(acts: &Acts, agent: usize, nth: usize, race: Race) -> Option<String> {
    // Neither process is always the first, nor is any deed.
    let turn = nth / 4;
    match race {
        Race::Quorum => quorum(acts, agent, nth, turn).await,
        Race::Decision => decision(acts, agent, nth, turn).await,
        Race::Uses => uses(acts, agent, nth, turn).await,
        Race::Both => both(acts, agent, nth, turn).await,
    }
}

/// Whether it was done; `None`: no clear answer.
type Deed<'a> = BoxFuture<'a, Option<bool>>;

/// The answers of deeds that were begun in turn, from this one on; `None` if one of them is unclear.
async fn together(deeds: Vec<Deed<'_>>, first: usize) -> Option<Vec<bool>> {
    let count = deeds.len();
    let mut order: Vec<_> = deeds.into_iter().enumerate().collect();
    order.rotate_left(first % count);
    let mut done = vec![false; count];
    let answers = join_all(order.into_iter().map(async |(n, deed)| (n, deed.await))).await;
    let mut clear = true;
    for (n, answer) in answers {
        clear &= answer.is_some();
        done[n] = answer == Some(true);
    }
    clear.then_some(done)
}

fn count(done: &[bool]) -> usize {
    done.iter().filter(|done| **done).count()
}

async fn quorum(acts: &Acts, agent: usize, nth: usize, turn: usize) -> Option<String> {
    let id = acts.asked(turn % 2, agent, For::Two, nth).await;
    let votes = ["ada", "ben", "ada", "cleo"].iter().enumerate();
    let deeds = votes.map(|(n, name)| Box::pin(acts.vote((turn + n / 2) % 2, name, &id, "approve")) as _).collect();
    let done = together(deeds, turn).await;
    let (state, _) = acts.state(turn % 2, agent, &id).await;
    if let Some(done) = &done {
        assert_eq!((count(done), state.as_str()), (2, "APPROVED"), "{nth}: {done:?}");
        assert!(!(done[0] && done[2]), "{nth}: Ada counts once");
    }
    acts.revoke(turn % 2, agent, &id).await;
    Some(format!("{:?}", done?))
}

async fn decision(acts: &Acts, agent: usize, nth: usize, turn: usize) -> Option<String> {
    let id = acts.asked(turn % 2, agent, For::One, nth).await;
    let (here, there) = (turn % 2, 1 - turn % 2);
    let deeds: Vec<Deed<'_>> = vec![
        Box::pin(acts.vote(here, "ada", &id, "approve")),
        Box::pin(acts.vote(there, "ben", &id, "deny")),
        Box::pin(acts.withdraw(turn / 2 % 2, agent, &id)),
    ];
    let done = together(deeds, turn).await;
    let (state, _) = acts.state(there, agent, &id).await;
    if let Some(done) = &done {
        let expected = ["APPROVED", "DENIED", "WITHDRAWN"];
        let won: Vec<_> = expected.iter().zip(done).filter(|(_, done)| **done).map(|(state, _)| *state).collect();
        assert_eq!(won, [state.as_str()], "{nth}: {done:?}");
    }
    acts.revoke(here, agent, &id).await;
    done.map(|_| state)
}

async fn uses(acts: &Acts, agent: usize, nth: usize, turn: usize) -> Option<String> {
    let id = acts.asked(turn % 2, agent, For::One, nth).await;
    acts.vote(turn % 2, "ada", &id, "approve").await?;
    let mut begun = Vec::new();
    for n in 0..2 * USES {
        begun.push(acts.begun(n % 2, agent, For::One, nth).await);
    }
    let events: Vec<String> = (0..begun.len()).map(|n| format!("{nth}-{n}")).collect();
    let hooks = begun.iter().zip(&events).enumerate();
    let mut deeds: Vec<Deed<'_>> =
        hooks.map(|(n, (begun, event))| Box::pin(acts.hook((turn + n) % 2, agent, event, begun)) as _).collect();
    deeds.push(Box::pin(acts.revoke(turn / 2 % 2, agent, &id)));
    let done = together(deeds, turn).await;
    let (state, used) = acts.state(turn % 2, agent, &id).await;
    assert!(used <= USES as u64, "{nth}: {used} uses");
    if let Some(done) = &done {
        let (granted, revoked) = (count(&done[..2 * USES]), done[2 * USES]);
        assert_eq!(granted as u64, used, "{nth}: {state}, {done:?}");
        assert_eq!(revoked, granted < USES, "{nth}: it is used up, or it was revoked before: {state}, {done:?}");
        assert_eq!(state, if revoked { "REVOKED" } else { "ENDED" }, "{nth}: {done:?}");
    }
    acts.revoke(turn % 2, agent, &id).await;
    done.map(|_| format!("{state} after {used}"))
}

async fn both(acts: &Acts, agent: usize, nth: usize, turn: usize) -> Option<String> {
    let whom = For::Account(agent);
    let id = acts.asked(turn % 2, agent, whom, nth).await;
    acts.vote(turn % 2, "ada", &id, "approve").await?;
    let begun = acts.begun(turn % 2, agent, whom, nth).await;
    let (held, _) = acts.reservation(turn % 2, agent).await;
    let (here, there) = (turn % 2, 1 - turn % 2);
    let event = nth.to_string();
    let against: Deed<'_> = if turn / 2 % 2 == 0 {
        Box::pin(acts.revoke(there, agent, &id))
    } else {
        Box::pin(acts.release(there, agent, &held))
    };
    let deeds: Vec<Deed<'_>> = vec![Box::pin(acts.hook(here, agent, &event, &begun)), against];
    let done = together(deeds, turn / 4).await;
    let (_, used) = acts.state(there, agent, &id).await;
    let (again, state) = acts.reservation(there, agent).await;
    if let Some(done) = &done {
        assert_eq!(again, held);
        assert_eq!(used == 1, state == "CONSUMED", "{nth}: both or neither: {used} uses, {state}");
        assert_eq!(done[0], used == 1, "{nth}: {done:?}");
    }
    acts.revoke(here, agent, &id).await;
    acts.release(there, agent, &held).await;
    done.map(|done| format!("{} {state}", if done[0] { "granted" } else { "refused" }))
}
