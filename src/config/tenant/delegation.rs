//! Bounds of delegations, and what a hook may take and come to.

use std::time::Duration;

use crate::{
    config::{
        duration::{duration_within, spell},
        mistakes::{Read, fault},
        parse,
        reader::Reader,
        settings,
    },
    domain::hook::{OnRefusal, RefusalForm},
};

/// How long Okta waits for a hook's answer (Okta, token inline hook: 3 s, one attempt).
const OKTA_WAITS: Duration = Duration::from_secs(3);

/// Bounds of delegations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelegationSettings {
    /// How long an id can be used, 10 s to 120 s.
    pub life: Duration,
    /// Unused ids of one agent at a time.
    pub max_pending: u32,
    /// Open requests for approval of one requester at a time.
    pub max_open: u32,
}

/// Time that a hook may take. `directory + commit < hook <` the identity provider's patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// In all.
    pub hook: Duration,
    /// The directory's part.
    pub directory: Duration,
    /// The commit's part.
    pub commit: Duration,
}

pub(super) fn delegation(r: &mut Reader<'_>) -> Read<DelegationSettings> {
    let life = r.value(&settings::LIFE, duration_within(Duration::from_secs(10)..=Duration::from_mins(2)));
    let max_pending = r.value(&settings::MAX_PENDING, parse::number(1..=100));
    let max_open = r.value(&settings::MAX_OPEN, parse::number(1..=200));
    Ok(DelegationSettings { life: life?, max_pending: max_pending?, max_open: max_open? })
}

pub(super) fn refusal(r: &mut Reader<'_>) -> Read<RefusalForm> {
    const FORMS: &[(&str, OnRefusal)] = &[("reject", OnRefusal::Reject), ("pass", OnRefusal::Pass)];
    let on_refused = r.value(&settings::ON_REFUSED, parse::choice(FORMS));
    let on_failure = r.value(&settings::ON_FAILURE, parse::choice(FORMS));
    let form = RefusalForm { on_refused: on_refused?, on_failure: on_failure? };
    if (form.on_refused, form.on_failure) == (OnRefusal::Pass, OnRefusal::Pass) {
        let places = [r.place(&settings::ON_REFUSED), r.place(&settings::ON_FAILURE)];
        r.found.warnings.push(format!(
            "{} and {} are both `pass`: an app gets a plain token and no error whenever a delegation doesn't come \
             about; it must look at the token's claims",
            places[0], places[1]
        ));
    }
    Ok(form)
}

pub(super) fn budgets(r: &mut Reader<'_>) -> Read<Budgets> {
    let bounds = || duration_within(Duration::from_millis(10)..=Duration::from_mins(1));
    let hook = r.value(&settings::BUDGET_HOOK, bounds());
    let directory = r.value(&settings::BUDGET_DIRECTORY, bounds());
    let commit = r.value(&settings::BUDGET_COMMIT, bounds());
    let budgets = Budgets { hook: hook?, directory: directory?, commit: commit? };
    if budgets.hook >= OKTA_WAITS {
        let what = format!("{} is no less than the {} that Okta waits", spell(budgets.hook), spell(OKTA_WAITS));
        return Err(r.wrong(&settings::BUDGET_HOOK, fault(what, "give less: a late answer lets the plain token out")));
    }
    let parts = budgets.directory + budgets.commit;
    if parts >= budgets.hook {
        let what = format!("directory and commit take {} of {}", spell(parts), spell(budgets.hook));
        return Err(r.wrong(&settings::BUDGET_HOOK, fault(what, "give the parts less, or the whole more")));
    }
    Ok(budgets)
}
