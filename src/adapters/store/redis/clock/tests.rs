use super::*;

const SECOND: i64 = 1_000_000;

fn acme() -> TenantName {
    TenantName::parse("acme").unwrap()
}

fn meta() -> Meta {
    Meta::decode(None).unwrap()
}

#[test]
fn an_answer_that_was_overtaken_moves_nothing() {
    let (times, tenant) = (Times::new(None), acme());
    let (one, two) = (times.before(&tenant), times.before(&tenant));
    assert_eq!(times.now(&tenant, two, 100 * SECOND, &meta()), 100 * SECOND);
    assert_eq!(times.now(&tenant, one, 40 * SECOND, &meta()), 100 * SECOND, "never back");
    assert_eq!(times.told(&tenant).skew, 0, "and not ahead either");
    let three = times.before(&tenant);
    assert_eq!(times.now(&tenant, three, 101 * SECOND, &meta()), 101 * SECOND);
}

#[test]
fn a_clock_that_was_set_back_goes_on_from_what_was_shown() {
    let (times, tenant) = (Times::new(None), acme());
    times.now(&tenant, times.before(&tenant), 100 * SECOND, &meta());
    assert_eq!(times.now(&tenant, times.before(&tenant), 40 * SECOND, &meta()), 100 * SECOND);
    assert_eq!(times.told(&tenant).skew, 60 * SECOND, "commits are told");
    assert_eq!(times.now(&tenant, times.before(&tenant), 41 * SECOND, &meta()), 101 * SECOND);
}

#[test]
fn a_commit_elsewhere_was_never_later_than_the_server_says_now() {
    let (times, tenant) = (Times::new(None), acme());
    let meta = Meta { high: 100 * SECOND, ..meta() };
    assert_eq!(times.now(&tenant, times.before(&tenant), 40 * SECOND, &meta), 100 * SECOND);
    assert_eq!(times.now(&tenant, times.before(&tenant), 41 * SECOND, &meta), 101 * SECOND);
}
