//! Medians of rounds, and the lines that are printed.

use crate::generator::Round;

/// The middle one; of an even number, the upper.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Milliseconds at this share of a round's answers.
fn at(round: &Round, percent: usize) -> f64 {
    let last = round.latencies.len().saturating_sub(1);
    round.latencies.get((round.latencies.len() * percent / 100).min(last)).copied().map_or(f64::NAN, f64::from) / 1e3
}

/// The median over the rounds of their latency at this share, in milliseconds.
pub(crate) fn latency(rounds: &[Round], percent: usize) -> f64 {
    median(rounds.iter().map(|round| at(round, percent)))
}

/// The median over the rounds of `ours / theirs`.
pub(crate) fn ratio(ours: &[Round], theirs: &[Round]) -> f64 {
    median(ours.iter().zip(theirs).map(|(a, b)| a.per_second / b.per_second))
}

/// The same of the processor time per request, the other way round: 1 is as cheap as the floor.
pub(crate) fn cpu_ratio(ours: &[Round], theirs: &[Round]) -> f64 {
    median(ours.iter().zip(theirs).map(|(a, b)| b.cpu_micros / a.cpu_micros))
}

/// One server's line.
pub(crate) fn line(name: &str, rounds: &[Round]) {
    println!(
        "  {name:<16} {:>8.0} req/s   p50 {:>6.2} ms   p99 {:>6.2} ms   cpu {:>5.1} us/req   busy: server {:>3.0} %, \
         this program {:>3.0} %",
        median(rounds.iter().map(|r| r.per_second)),
        latency(rounds, 50),
        latency(rounds, 99),
        median(rounds.iter().map(|r| r.cpu_micros)),
        median(rounds.iter().map(|r| r.server_busy)) * 100.0,
        median(rounds.iter().map(|r| r.own_busy)) * 100.0,
    );
}
