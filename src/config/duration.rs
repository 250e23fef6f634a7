//! Spans of time as text: `300ms`, `30s`, `10m`, `1h`, `1d`.

use std::{ops::RangeInclusive, time::Duration};

use super::mistakes::{Fault, fault};

const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a whole number with a unit.
pub(super) fn duration(text: &str) -> Result<Duration, Fault> {
    read(text).ok_or_else(|| {
        let remedy = "write a whole number with one of the units ms, s, m, h, d, such as `30s`";
        fault(format!("`{text}` is not a span of time"), remedy)
    })
}

fn read(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor).map(Duration::from_millis)
}

/// The same within bounds.
pub(super) fn duration_within(bounds: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, Fault> {
    move |text| {
        let value = duration(text)?;
        if bounds.contains(&value) {
            return Ok(value);
        }
        let (least, most) = (spell(*bounds.start()), spell(*bounds.end()));
        Err(fault(format!("`{text}` is out of bounds"), format!("give {least} to {most}")))
    }
}

/// The same in whole seconds, at least one.
pub(super) fn whole_seconds(text: &str) -> Result<u64, Fault> {
    let value = duration(text)?;
    if value.as_secs() == 0 || value.subsec_millis() != 0 {
        return Err(fault(
            format!("`{text}` is not a number of whole seconds"),
            "give at least `1s`, without a fraction",
        ));
    }
    Ok(value.as_secs())
}

/// The same in whole seconds, within bounds.
pub(super) fn seconds_within(bounds: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<u64, Fault> {
    let within = duration_within(bounds);
    move |text| within(text).and_then(|_| whole_seconds(text))
}

/// The shortest text that a setting reads as this span (to the millisecond).
pub fn spell(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let fits = UNITS.iter().rev().find(|(_, factor)| millis >= *factor && millis.is_multiple_of(*factor));
    fits.map_or_else(|| format!("{millis}ms"), |(unit, factor)| format!("{}{unit}", millis / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_spelled() {
        for (text, millis) in [("300ms", 300), ("30s", 30_000), ("10m", 600_000), ("1h", 3_600_000), ("1d", 86_400_000)]
        {
            assert_eq!(duration(text).unwrap(), Duration::from_millis(millis));
            assert_eq!(spell(Duration::from_millis(millis)), text);
        }
        assert_eq!(duration("0s").unwrap(), Duration::ZERO);
        assert_eq!(spell(Duration::from_millis(2_200)), "2200ms");
        assert_eq!(spell(Duration::ZERO), "0ms");
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for bad in
            ["", "10", "s", "-1s", "1.5s", "1 s", "1m30s", "1S", "1w", "99999999999999999999s", "999999999999999999d"]
        {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for bad in ["0s", "300ms", "1500ms"] {
            assert!(whole_seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(whole_seconds("2000ms"), Ok(2));
    }

    #[test]
    fn bounds_are_inclusive_and_named() {
        let within = duration_within(Duration::from_secs(10)..=Duration::from_mins(2));
        assert!(within("10s").is_ok() && within("2m").is_ok());
        assert_eq!(within("9999ms").unwrap_err().remedy, "give 10s to 2m");
        assert!(within("121s").is_err());
    }
}
