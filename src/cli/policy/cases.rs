//! A file of cases, read strictly: what isn't understood is a mistake with its line.
//!
//! ```yaml
//! tenant: default                 # optional
//! cases:
//!   - name: directors need an approval
//!     agent: ann
//!     delegator: bob
//!     client: payments
//!     scopes: [payments.read]     # optional
//!     at: initiation              # optional; else hook
//!     groups: { agent: [], delegator: [00gdirectors] }
//!     state: { granted: true, active: { agent: true }, locked: { delegator: false }, approval: none }
//!     expect: { decision: prepare, rule: finance directors, stages: [approval] }
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::{
    domain::{
        delegation::Party,
        ids::{ClientId, GroupId, Login, TenantName, UserId},
        reason::Reason,
    },
    policy::{
        dry::{At, Decision},
        trial::{Approved, Case, Person, Reserved},
    },
};

/// Cases of one tenant's rules.
#[derive(Debug)]
pub(super) struct Cases {
    pub(super) tenant: Option<TenantName>,
    pub(super) cases: Vec<Tried>,
}

/// A case, and what is expected of it.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) name: String,
    pub(super) case: Case,
    pub(super) expected: Expected,
}

/// What should come out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// `granted`, `prepare`, or the code of the reason.
    pub(super) decision: &'static str,
    /// The rule that applies.
    pub(super) rule: Which,
    /// What it asks for.
    pub(super) stages: Option<Vec<&'static str>>,
}

/// Which rule should apply.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Which {
    /// It isn't said.
    #[default]
    Any,
    /// None at all: `null`.
    None,
    /// The one of that name.
    Named(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopDraft {
    tenant: Option<TenantName>,
    cases: Vec<Spanned<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseDraft {
    name: String,
    agent: UserId,
    delegator: UserId,
    client: ClientId,
    #[serde(default)]
    scopes: BTreeSet<String>,
    #[serde(default)]
    at: Moment,
    #[serde(default)]
    groups: Groups,
    #[serde(default)]
    state: State,
    expect: ExpectDraft,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Moment {
    Initiation,
    #[default]
    Hook,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Groups {
    agent: BTreeSet<GroupId>,
    delegator: BTreeSet<GroupId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct State {
    granted: bool,
    active: Active,
    locked: Locked,
    approval: Approved,
    reservation: Reserved,
}

impl Default for State {
    fn default() -> Self {
        Self {
            granted: true,
            active: Active::default(),
            locked: Locked::default(),
            approval: Approved::None,
            reservation: Reserved::None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Active {
    agent: bool,
    delegator: bool,
}

impl Default for Active {
    fn default() -> Self {
        Self { agent: true, delegator: true }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Locked {
    agent: bool,
    delegator: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectDraft {
    decision: String,
    #[serde(default)]
    rule: Which,
    stages: Option<Vec<String>>,
}

/// That it isn't there isn't the same as `null`.
impl<'de> Deserialize<'de> for Which {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|name| name.map_or(Self::None, Self::Named))
    }
}

/// Reads a file of cases, or everything that is wrong with it.
pub(super) fn parse(content: &str) -> Result<Cases, Vec<String>> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_documents: 1 },
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let top: TopDraft =
        serde_saphyr::from_str_with_options(content, options).map_err(|error| vec![error.to_string()])?;
    let (mut cases, mut wrong, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (at, draft) in top.cases.into_iter().enumerate() {
        let place = format!("line {}: cases[{at}]", draft.referenced.line());
        let read = serde_json::from_value::<CaseDraft>(draft.value).map_err(|error| error.to_string());
        match read.and_then(tried) {
            Ok(tried) if !names.insert(tried.name.clone()) => {
                wrong.push(format!("{place}: another case is called \"{}\" too", tried.name));
            }
            Ok(tried) => cases.push(tried),
            Err(why) => wrong.push(format!("{place}: {why}")),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if cases.is_empty() {
        return Err(vec!["there are no cases".to_owned()]);
    }
    Ok(Cases { tenant: top.tenant, cases })
}

fn tried(draft: CaseDraft) -> Result<Tried, String> {
    let CaseDraft { name, agent, delegator, client, scopes, at, groups, state, expect } = draft;
    let expected = expected(expect).map_err(|why| format!("\"{name}\": {why}"))?;
    let person = |id: UserId, groups, active, locked| {
        let login = Login::parse(id.as_str()).map_err(|error| format!("the id {id} {error}"))?;
        Ok::<_, String>(Person { party: Party { id, login }, groups, active, locked })
    };
    let case = Case {
        agent: person(agent, groups.agent, state.active.agent, state.locked.agent)?,
        delegator: person(delegator, groups.delegator, state.active.delegator, state.locked.delegator)?,
        client,
        scopes,
        granted: state.granted,
        at: match at {
            Moment::Initiation => At::Initiation,
            Moment::Hook => At::Hook,
        },
        approval: state.approval,
        reservation: state.reservation,
    };
    Ok(Tried { name, case, expected })
}

fn expected(draft: ExpectDraft) -> Result<Expected, String> {
    let word = draft.decision.as_str();
    let plain = [Decision::Granted, Decision::Prepares].map(Decision::code);
    let reasons = Reason::ALL.iter().map(|reason| reason.code());
    let decision = plain.into_iter().chain(reasons).find(|code| *code == word);
    let decision = decision
        .ok_or_else(|| format!("`{word}` is no decision: write `granted`, `prepare`, or the code of a reason"))?;
    let stage = |name: &String| {
        let known = ["approval", "reservation"].into_iter().find(|stage| stage == name);
        known.ok_or_else(|| format!("`{name}` is no stage: known are approval, reservation"))
    };
    let stages = draft.stages.map(|names| names.iter().map(stage).collect::<Result<Vec<_>, _>>()).transpose()?;
    Ok(Expected { decision, rule: draft.rule, stages })
}

#[cfg(test)]
mod tests;
