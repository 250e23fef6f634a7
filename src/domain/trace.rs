//! Where a distributed trace goes on: what W3C Trace Context calls a `traceparent`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::hex::{hex, unhex};

/// A span of a trace, of ours or of somebody else's. It says nothing about anybody and opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    /// The trace.
    pub trace: [u8; 16],
    /// The span in it.
    pub span: [u8; 8],
    /// Whether it is recorded.
    pub sampled: bool,
}

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no traceparent of version 00")]
pub struct NoTraceParent;

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        let parts: Vec<&str> = text.split('-').collect();
        let ["00", trace, span, flags] = parts.as_slice() else { return Err(NoTraceParent) };
        let [flags] = unhex(flags).ok_or(NoTraceParent)?;
        let (trace, span) = unhex(trace).zip(unhex(span)).ok_or(NoTraceParent)?;
        let found = Self { trace, span, sampled: flags & 1 == 1 };
        let is_valid = found.trace != [0; 16] && found.span != [0; 8];
        if is_valid { Ok(found) } else { Err(NoTraceParent) }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.sampled { "01" } else { "00" };
        write!(f, "00-{}-{}-{flags}", hex(&self.trace), hex(&self.span))
    }
}

impl TryFrom<String> for TraceParent {
    type Error = NoTraceParent;
    fn try_from(text: String) -> Result<Self, NoTraceParent> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn it_reads_back_as_written() {
        let parent: TraceParent = GOOD.parse().unwrap();
        assert!(parent.sampled);
        assert_eq!(parent.to_string(), GOOD);
        let not = GOOD.replace("-01", "-00");
        assert_eq!(not.parse::<TraceParent>().unwrap().to_string(), not);
        assert_eq!(serde_json::to_string(&parent).unwrap(), format!("\"{GOOD}\""));
    }

    #[test]
    fn what_is_none_is_not_taken() {
        let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let zero_span = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16));
        let longer = format!("{GOOD}-00");
        let upper = GOOD.to_uppercase();
        let short = &GOOD[..GOOD.len() - 1];
        let other = GOOD.replacen("00", "01", 1);
        let sign = GOOD.replace("-00f067", "-+0f067");
        for text in ["", "00", "00---", "ü", &zero_trace, &zero_span, &longer, &upper, short, &other, &sign] {
            assert_eq!(text.parse::<TraceParent>(), Err(NoTraceParent), "{text}");
        }
    }
}
