//! Random orders of everything that can happen, against what must hold whatever the order.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    Vote(&'static str, Choice, u32),
    Withdraw,
    Revoke,
    Use,
    BreakGlass,
    /// Somebody writes down what a deadline ended, or doesn't.
    Settle,
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = prop::sample::select(vec!["ada", "ben", "cleo", "dora", "ann", "bob", "eve"]);
    let choice = prop_oneof![6 => Just(Choice::Approve), 1 => Just(Choice::Deny)];
    let version = prop_oneof![9 => Just(1_u32), 1 => Just(2)];
    prop_oneof![
        8 => (who, choice, version).prop_map(|(who, choice, version)| Step::Vote(who, choice, version)),
        1 => Just(Step::Withdraw),
        1 => Just(Step::Revoke),
        6 => Just(Step::Use),
        1 => Just(Step::BreakGlass),
        2 => Just(Step::Settle),
        4 => prop_oneof![1..30_i64, Just(60), 200..900_i64].prop_map(Step::Pass),
    ]
}

fn shape() -> impl Strategy<Value = Template> {
    (1..=3_u8, 1..=3_u32, 20..600_i64, 20..600_i64, 20..600_i64, any::<bool>()).prop_map(
        |(quorum, max_uses, decide, use_, valid, delegator_may_approve)| Template {
            quorum,
            max_uses,
            decide_within: SignedDuration::from_secs(decide),
            use_within: SignedDuration::from_secs(use_),
            valid_for: SignedDuration::from_secs(valid),
            delegator_may_approve,
            ..Template::new(Kind::Approve, named(&["ada", "ben", "cleo", "ann", "bob"]))
        },
    )
}

fn attempt(approval: &Approval, step: Step, now: Timestamp) -> Option<Approval> {
    let approval = approval.clone();
    match step {
        Step::Vote(who, choice, version) => {
            let (user, caller) = (user(who), uid(who));
            let voter = Voter { caller: &caller, user: &user, groups: &BTreeSet::new(), is_shared: false };
            approval.vote(&voter, Ballot { version, ..ballot(choice) }, now).ok()
        }
        Step::Withdraw => approval.withdraw(party("ann"), now).ok(),
        Step::Revoke => approval.revoke(party("ada"), now).ok(),
        Step::Use => used(&approval, now).ok(),
        Step::BreakGlass => approval.break_glass("emergency".to_owned(), now).ok(),
        Step::Settle => approval.lapse(now),
        Step::Pass(_) => None,
    }
}

/// What must hold of one change.
fn check(before: &Approval, after: &Approval, step: Step, now: Timestamp) -> Result<(), TestCaseError> {
    let (was, is) = (before.state_name(now), after.state_name(now));
    prop_assert_eq!(after.revision, before.revision + 1, "{:?}", step);
    prop_assert_eq!((&after.asked, &after.template, after.version), (&before.asked, &before.template, 1));
    let allowed = match step {
        Step::Vote(_, Choice::Deny, _) => was == "PENDING" && is == "DENIED",
        Step::Vote(..) => was == "PENDING" && ["PENDING", "APPROVED"].contains(&is),
        Step::Withdraw => was == "PENDING" && is == "WITHDRAWN",
        Step::Revoke => ["APPROVED", "ACTIVE"].contains(&was) && is == "REVOKED",
        Step::Use => ["APPROVED", "ACTIVE"].contains(&was) && ["ACTIVE", "ENDED"].contains(&is),
        Step::BreakGlass => was == "PENDING" && is == "APPROVED",
        // It is over already; somebody writes it down.
        Step::Settle => was == is && matches!(after.state, State::Closed(_)),
        Step::Pass(_) => false,
    };
    prop_assert!(allowed, "{was} -> {is} by {step:?}");
    if let Step::Use = step {
        prop_assert!(before.deadline().is_some_and(|deadline| now < deadline), "used at or after a deadline");
        prop_assert!(before.remaining(now) > SignedDuration::ZERO);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn whatever_the_order_what_must_hold_holds(shape in shape(), steps in prop::collection::vec(step(), 1..60)) {
        let (mut approval, mut now, mut approvals, mut uses) = (asked_of(shape.clone()), at(0), 0, 0);
        for step in steps {
            if let Step::Pass(seconds) = step {
                now += SignedDuration::from_secs(seconds);
                continue;
            }
            let over = !["PENDING", "APPROVED", "ACTIVE"].contains(&approval.state_name(now));
            let Some(after) = attempt(&approval, step, now) else { continue };
            prop_assert!(!over || matches!(step, Step::Settle), "{step:?} after the end");
            check(&approval, &after, step, now)?;
            approvals += usize::from(matches!((&approval.state, &after.state), (State::Pending, State::Approved { .. })));
            uses += u32::from(matches!(step, Step::Use));
            approval = after;
            let yes = approval.votes.iter().filter(|vote| vote.choice == Choice::Approve);
            let people: BTreeSet<_> = approval.votes.iter().map(|vote| vote.by.id.as_str()).collect();
            prop_assert_eq!(people.len(), approval.votes.len(), "one person counts once");
            prop_assert!(!people.contains("ann") && !people.contains("eve") && !people.contains("dora"));
            prop_assert!(shape.delegator_may_approve || !people.contains("bob"));
            prop_assert!(approval.votes.iter().all(|vote| vote.choice == Choice::Approve) || approval.state_name(now) == "DENIED");
            let decided = approvals == 1;
            prop_assert!(!decided || approval.break_glass.is_some() || yes.count() >= usize::from(shape.quorum));
        }
        prop_assert!(approvals <= 1, "decided {approvals} times");
        prop_assert!(uses <= shape.max_uses && uses == approval.state.uses());
        prop_assert!(uses == 0 || approvals == 1, "used without a decision");
    }
}
