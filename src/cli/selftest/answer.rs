//! What came back, and what the provider would have made of it.

use std::time::Duration;

use serde_json::Value;

use crate::domain::{
    hook::{OnRefusal, RefusalForm},
    reason::{Public, Reason},
};

/// Which hook is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// Without an id, as nearly all are.
    Plain,
    /// With an id that was never handed out: it is looked for in the store, and refused.
    UnknownId,
    /// With a secret that isn't the provider's.
    WrongSecret,
}

impl Case {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::UnknownId, Self::WrongSecret];

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Plain => "a hook without an id",
            Self::UnknownId => "a hook with an id that doesn't exist",
            Self::WrongSecret => "a hook with a wrong secret",
        }
    }
}

/// An answer to one.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) kind: Option<String>,
    pub(super) location: Option<String>,
    /// It carries what every answer of ours carries.
    pub(super) ours: bool,
    pub(super) took: Duration,
}

/// What is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Well(String),
    Slow(String),
    Bad(String),
}

impl Verdict {
    pub(super) fn is_well(&self) -> bool {
        !matches!(self, Self::Bad(_))
    }

    pub(super) fn line(&self, case: Case) -> String {
        let (mark, what) = match self {
            Self::Well(what) => ("ok", what),
            Self::Slow(what) => ("slow", what),
            Self::Bad(what) => ("wrong", what),
        };
        format!("{mark}: {}: {what}", case.words())
    }
}

impl Answer {
    pub(super) fn judge(&self, case: Case, form: RefusalForm, patience: Duration) -> Verdict {
        let seen = match self.seen(case, form) {
            Ok(seen) => seen,
            Err(what) => return Verdict::Bad(what),
        };
        let share = self.took.as_secs_f64() / patience.as_secs_f64();
        let time = format!("{} ms, {:.1} % of the time that the provider waits", self.took.as_millis(), share * 100.0);
        if share >= 1.0 {
            return Verdict::Bad(format!("too slow: {seen}, but after {time}: it has minted the plain token"));
        }
        let line = format!("{seen} ({time})");
        if share > 0.5 { Verdict::Slow(line) } else { Verdict::Well(line) }
    }

    /// What the provider would have seen, if it is as it must be.
    fn seen(&self, case: Case, form: RefusalForm) -> Result<String, String> {
        if !self.ours {
            return Err(self.not_ours());
        }
        match (case, self.status) {
            (Case::WrongSecret, 401) if self.body.is_empty() => Ok("401: strangers are turned away".to_owned()),
            (Case::WrongSecret, status) if (200..300).contains(&status) => {
                Err(format!("{status}: whoever knows the address is taken for the provider"))
            }
            (_, 401) => Err("401: the service has another secret than this environment (BEHALF_HOOK_SECRET and its \
                             like), or something on the way changes the header"
                .to_owned()),
            (_, 404) => {
                Err("404: behalf has no such hook: is it the right tenant, and does something on the way change \
                             the path?"
                    .to_owned())
            }
            (Case::Plain, 204) => Ok("204: the token stays as it is, no commands".to_owned()),
            (Case::UnknownId, 204) if form.on_refused == OnRefusal::Pass => {
                Ok("204: refused, and by BEHALF_ON_REFUSED the token stays as it is".to_owned())
            }
            (Case::UnknownId, 200) => self.refusal(),
            (_, status) => Err(format!("{status}: that is no answer to this hook")),
        }
    }

    /// The refusal of an id that nobody knows.
    fn refusal(&self) -> Result<String, String> {
        let body: Value = serde_json::from_str(&self.body).map_err(|_| "200, but what comes with it is no JSON")?;
        let told = body["error"]["errorSummary"].as_str().unwrap_or_default();
        let says = |public: Public| told.contains(&format!("({})", public.code()));
        if says(Reason::UnknownId.public()) {
            return Ok(format!("200: refused, no token is minted: \"{told}\""));
        }
        if says(Public::TemporarilyUnavailable) {
            return Err("200: refused because behalf can't decide now; /healthz says what is down".to_owned());
        }
        if body.get("commands").is_some() {
            return Err("200 with commands: an id that was never handed out was granted".to_owned());
        }
        Err("200, but no refusal that the provider could apply".to_owned())
    }

    /// Why something else than behalf may have answered so.
    fn not_ours(&self) -> String {
        let status = self.status;
        let why = match status {
            300..=399 => format!("it redirects to {}, and the provider doesn't follow", self.host_of_location()),
            401 | 403 | 429 => "something before behalf turns callers away".to_owned(),
            404 => "the address or the path is wrong, or a proxy knows no such route".to_owned(),
            500..=599 => "a proxy doesn't reach behalf".to_owned(),
            _ => "something else listens there".to_owned(),
        };
        let kind = self.kind.as_deref().unwrap_or("no content type");
        format!("{status}, and it isn't behalf that answers ({kind}): {why}")
    }

    /// No more of it: a query may hold anything.
    fn host_of_location(&self) -> String {
        let location = self.location.as_deref().unwrap_or_default();
        let url = url::Url::parse(location).ok();
        url.and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_else(|| "another path".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3);

    fn answer(status: u16, body: &str) -> Answer {
        let took = Duration::from_millis(30);
        Answer { status, body: body.to_owned(), kind: None, location: None, ours: true, took }
    }

    fn said(answer: &Answer, case: Case) -> (bool, String) {
        let verdict = answer.judge(case, RefusalForm::default(), PATIENCE);
        (verdict.is_well(), verdict.line(case))
    }

    fn refused(code: &str) -> Answer {
        answer(200, &format!(r#"{{"error": {{"errorSummary": "A sentence. ({code})"}}}}"#))
    }

    #[test]
    fn what_must_come_is_well() {
        for (answer, case) in [
            (answer(204, ""), Case::Plain),
            (refused("delegation-not-usable"), Case::UnknownId),
            (answer(401, ""), Case::WrongSecret),
        ] {
            let (well, line) = said(&answer, case);
            assert!(well && line.starts_with("ok: ") && line.contains("30 ms, 1.0 %"), "{line}");
        }
    }

    #[test]
    fn each_failure_has_a_line_of_its_own() {
        let elsewhere = |status| Answer { ours: false, kind: Some("text/html".to_owned()), ..answer(status, "<html>") };
        let moved = Answer { location: Some("https://login.test/?x=secret".to_owned()), ..elsewhere(302) };
        for (answer, case, part) in [
            (answer(401, ""), Case::Plain, "another secret"),
            (answer(404, ""), Case::Plain, "right tenant"),
            (answer(200, "{}"), Case::Plain, "no answer to this hook"),
            (refused("temporarily-unavailable"), Case::UnknownId, "/healthz"),
            (answer(200, r#"{"commands": []}"#), Case::UnknownId, "was granted"),
            (answer(200, "<html>"), Case::UnknownId, "no JSON"),
            (answer(204, ""), Case::UnknownId, "no answer"),
            (answer(204, ""), Case::WrongSecret, "taken for the provider"),
            (elsewhere(200), Case::Plain, "something else listens"),
            (elsewhere(401), Case::WrongSecret, "before behalf"),
            (elsewhere(403), Case::Plain, "before behalf"),
            (elsewhere(404), Case::Plain, "the path is wrong"),
            (elsewhere(502), Case::Plain, "doesn't reach behalf"),
            (moved, Case::Plain, "redirects to login.test,"),
        ] {
            let (well, line) = said(&answer, case);
            assert!(!well && line.starts_with("wrong: ") && line.contains(part), "{part}: {line}");
            assert!(!line.contains("secret\"") && !line.contains("x=secret"), "{line}");
        }
    }

    #[test]
    fn time_is_held_against_the_budget() {
        let after = |millis| Answer { took: Duration::from_millis(millis), ..answer(204, "") };
        assert_eq!(said(&after(1500), Case::Plain).1.split(':').next(), Some("ok"));
        let (well, line) = said(&after(1600), Case::Plain);
        assert!(well && line.starts_with("slow: "), "{line}");
        let (well, line) = said(&after(3000), Case::Plain);
        assert!(!well && line.contains("too slow"), "{line}");
    }

    #[test]
    fn where_refusals_pass_the_token_stays_as_it_is() {
        let form = RefusalForm { on_refused: OnRefusal::Pass, ..RefusalForm::default() };
        assert!(answer(204, "").judge(Case::UnknownId, form, PATIENCE).is_well());
    }
}
