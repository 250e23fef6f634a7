//! A request that may be sent again: the key that its sender gives it, and what is kept under the key
//! (draft-ietf-httpapi-idempotency-key-header).

use serde::{Deserialize, Serialize};

use super::chain::Digest;

/// The most characters of a key.
pub const LONGEST_KEY: usize = 64;

/// What a sender calls one request of his: 1 to 64 visible ASCII characters. In quotes, as the draft writes it, or
/// without them, it is the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 64 visible ASCII characters")]
pub struct NoKey;

impl IdempotencyKey {
    /// Reads a header's value.
    pub fn parse(text: &str) -> Result<Self, NoKey> {
        let bare = match text.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"').filter(|inner| !inner.contains(['"', '\\'])).ok_or(NoKey)?,
            None => text,
        };
        let fits = (1..=LONGEST_KEY).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(bare.to_owned())) } else { Err(NoKey) }
    }

    /// As text, without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An answer, as it is given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Its JSON.
    pub body: String,
}

impl Answer {
    /// Whether it is given again: only what succeeded at once. What waits is asked for again, a failure tried again,
    /// and a refusal decided anew; all of that leaves nothing behind.
    pub fn is_kept(status: u16) -> bool {
        (200..300).contains(&status) && status != 202
    }
}

/// How far a request came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Progress {
    /// It is being worked on, or whoever did died.
    Pending,
    /// It succeeded so.
    Done(Answer),
}

/// What is kept under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Of everything that makes the request this one.
    pub request: Digest,
    /// How far it came.
    #[serde(flatten)]
    pub progress: Progress,
}

/// Why a request isn't worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Repeated {
    /// The first one hasn't ended.
    #[error("a request with this Idempotency-Key is being worked on; send it again in a moment")]
    InProgress,
    /// The key belongs to another request.
    #[error("this Idempotency-Key was used for another request; use a new one for each")]
    KeyReused,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Work on it.
    Go,
    /// Give that answer.
    Again(Answer),
}

/// Judges a request by what is kept under its key and still counts.
pub fn judge(kept: Option<&Kept>, request: &Digest) -> Result<Verdict, Repeated> {
    match kept {
        None => Ok(Verdict::Go),
        Some(kept) if kept.request != *request => Err(Repeated::KeyReused),
        Some(Kept { progress: Progress::Pending, .. }) => Err(Repeated::InProgress),
        Some(Kept { progress: Progress::Done(answer), .. }) => Ok(Verdict::Again(answer.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_with_or_without_quotes() {
        let longest = "k".repeat(LONGEST_KEY);
        for good in ["a", "8e03978e-40d5-43e8-bc93-6894a57f9324", &longest, "a\"b", "~!"] {
            assert_eq!(IdempotencyKey::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(IdempotencyKey::parse("\"abc\""), IdempotencyKey::parse("abc"));
        let longer = "k".repeat(LONGEST_KEY + 1);
        for bad in ["", "\"\"", "\"", "\"a", "\"a\"b\"", "\"a\\b\"", "a b", "é", "a\n", &longer] {
            assert_eq!(IdempotencyKey::parse(bad), Err(NoKey), "{bad:?}");
        }
    }

    #[test]
    fn the_first_goes_on_and_the_others_get_its_answer_or_wait() {
        let (mine, other) = (Digest::of(b"", b"mine"), Digest::of(b"", b"other"));
        assert_eq!(judge(None, &mine), Ok(Verdict::Go));
        let pending = Kept { request: mine, progress: Progress::Pending };
        assert_eq!(judge(Some(&pending), &mine), Err(Repeated::InProgress));
        assert_eq!(judge(Some(&pending), &other), Err(Repeated::KeyReused));
        let answer = Answer { status: 201, body: "{}".to_owned() };
        let done = Kept { request: mine, progress: Progress::Done(answer.clone()) };
        assert_eq!(judge(Some(&done), &mine), Ok(Verdict::Again(answer)));
        assert_eq!(judge(Some(&done), &other), Err(Repeated::KeyReused));
    }

    #[test]
    fn only_what_succeeded_at_once_is_kept() {
        let kept: Vec<u16> = (200..600).filter(|status| Answer::is_kept(*status)).collect();
        assert!(
            kept.contains(&200) && kept.contains(&201) && kept.iter().all(|status| *status < 300 && *status != 202)
        );
    }

    #[test]
    fn stored_form_round_trips() {
        let request = Digest::of(b"", b"mine");
        for progress in [Progress::Pending, Progress::Done(Answer { status: 200, body: "{\"a\":1}".to_owned() })] {
            let kept = Kept { request, progress };
            let text = serde_json::to_string(&kept).unwrap();
            assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept, "{text}");
        }
        let text = serde_json::to_string(&Kept { request, progress: Progress::Pending }).unwrap();
        assert_eq!(text, format!(r#"{{"request":"{request}","state":"pending"}}"#));
    }
}
