use proptest::prelude::*;

use super::*;

fn opened(now: Instant) -> Breaker {
    let mut breaker = Breaker::default();
    for _ in 0..FAILURES {
        let pass = breaker.admit(now).unwrap();
        breaker.settle(pass, Went::Failed, now);
    }
    breaker
}

#[tokio::test]
async fn only_failures_in_a_row_open_it() {
    let (mut breaker, now) = (Breaker::default(), Instant::now());
    for _ in 0..3 {
        for _ in 1..FAILURES {
            let pass = breaker.admit(now).unwrap();
            breaker.settle(pass, Went::Failed, now);
        }
        assert!(!breaker.is_open());
        let pass = breaker.admit(now).unwrap();
        breaker.settle(pass, Went::Answered, now);
    }
    let pass = breaker.admit(now).unwrap();
    breaker.settle(pass, Went::Unknown, now);
    assert!(!breaker.is_open());
    assert!(opened(now).is_open());
}

#[tokio::test]
async fn when_its_time_is_up_a_few_calls_look_and_an_answer_closes_it() {
    let now = Instant::now();
    let mut breaker = opened(now);
    assert_eq!(breaker.admit(now), Err(FIRST));
    assert_eq!(breaker.admit(now + FIRST / 2), Err(FIRST / 2));
    let then = now + FIRST;
    let probes: Vec<_> = (0..PROBES).map(|_| breaker.admit(then).unwrap()).collect();
    assert!(breaker.admit(then).is_err() && breaker.is_open(), "these are enough");
    breaker.settle(probes[1], Went::Answered, then);
    assert!(!breaker.is_open() && breaker.admit(then).is_ok());
    breaker.settle(probes[0], Went::Failed, then);
    assert!(!breaker.is_open(), "the first that ended has decided");
}

#[tokio::test]
async fn a_probe_that_fails_doubles_the_wait_up_to_the_longest() {
    let mut now = Instant::now();
    let mut breaker = opened(now);
    let mut wait = FIRST;
    for _ in 0..6 {
        assert_eq!(breaker.admit(now), Err(wait));
        now += wait;
        let probe = breaker.admit(now).unwrap();
        breaker.settle(probe, Went::Failed, now);
        wait = (wait * 2).min(LONGEST);
    }
    assert_eq!(wait, LONGEST);
}

#[tokio::test]
async fn a_probe_that_nobody_waited_for_is_followed_by_another_at_once() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let then = now + FIRST;
    let probe = breaker.admit(then).unwrap();
    breaker.settle(probe, Went::Unknown, then);
    assert!(breaker.admit(then).is_ok());
}

#[tokio::test]
async fn calls_from_before_say_nothing_about_now() {
    let now = Instant::now();
    let mut breaker = Breaker::default();
    let old = breaker.admit(now).unwrap();
    for _ in 0..FAILURES {
        let pass = breaker.admit(now).unwrap();
        breaker.settle(pass, Went::Failed, now);
    }
    breaker.settle(old, Went::Answered, now);
    assert!(breaker.is_open(), "it was asked when the directory still answered");
    let probe = breaker.admit(now + FIRST).unwrap();
    breaker.settle(old, Went::Failed, now + FIRST);
    breaker.settle(probe, Went::Answered, now + FIRST);
    assert!(!breaker.is_open());
    breaker.settle(probe, Went::Failed, now + FIRST);
    assert!(breaker.admit(now + FIRST).is_ok());
}

proptest! {
    /// Whatever happens in whatever order: nobody is let through while it is open, but for a few probes, and a
    /// directory that answers from some moment on is asked again within the longest wait.
    #[test]
    fn it_never_lets_a_crowd_through_and_never_stays_shut(
        steps in proptest::collection::vec((0u64..3000, 0usize..4, 0u8..3), 0..200)
    ) {
        let mut now = Instant::now();
        let (mut breaker, mut out) = (Breaker::default(), Vec::new());
        for (millis, at, what) in steps {
            now += Duration::from_millis(millis);
            if let Ok(pass) = breaker.admit(now) {
                let probes = out.iter().filter(|other| **other == pass).count();
                prop_assert!(!breaker.is_open() || probes < PROBES as usize, "a crowd");
                out.push(pass);
            }
            if at < out.len() {
                let went = [Went::Answered, Went::Failed, Went::Unknown][usize::from(what)];
                breaker.settle(out.swap_remove(at), went, now);
            }
        }
        for pass in out {
            breaker.settle(pass, Went::Unknown, now);
        }
        let pass = breaker.admit(now + LONGEST).expect("its time is up");
        breaker.settle(pass, Went::Answered, now + LONGEST);
        prop_assert!(!breaker.is_open());
    }
}
