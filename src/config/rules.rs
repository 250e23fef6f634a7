//! `[[tenants.<name>.rules]]`: the shape is checked whole, and a stage that isn't built yet is refused, never ignored.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    duration::{duration, whole_seconds},
    mistakes::{Fault, Findings, Read, Recorded, fault},
    parse,
    table::Table,
};
use crate::domain::{
    ids::{ClientId, GroupId, IdError, UserId},
    rule::{Rule, When},
};

/// Reads the rules under the key `at`.
pub(super) fn rules(at: &str, value: Option<&Value>, found: &mut Findings) -> Read<Vec<Rule>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let Value::Array(items) = value else {
        return Err(found.mistake(format!("key `{at}`"), fault("is not a list of tables", format!("write `[[{at}]]`"))));
    };
    let mut names = BTreeSet::new();
    let read: Vec<Read<Rule>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let rule = rule(&format!("{at}[{index}]"), item, found)?;
            if names.insert(rule.name.clone()) {
                return Ok(rule);
            }
            let what = format!("another rule is called `{}` too", rule.name);
            Err(found.mistake(format!("{at}[{index}]"), fault(what, "give every rule a name of its own")))
        })
        .collect();
    read.into_iter().collect()
}

fn rule(at: &str, value: &Value, found: &mut Findings) -> Read<Rule> {
    let mut table = Table::new(at.to_owned(), value, found)?;
    let name = table.text("name", parse::text);
    let name = table.required("name", name);
    if let Ok(name) = &name {
        table.rename(format!("{at} (\"{name}\")"));
    }
    let when = when(&mut table);
    let stages = stages(&mut table);
    let scopes = scopes_allowed(&mut table);
    let lifetime = table.text("max_token_lifetime", whole_seconds);
    let overrun = match (table.flag("allow_overrun"), &lifetime) {
        (Ok(Some(true)), Ok(None)) => {
            Err(table.wrong("allow_overrun", fault("means nothing without `max_token_lifetime`", "give both or none")))
        }
        (overrun, _) => overrun,
    };
    table.finish()?;
    stages?;
    Ok(Rule {
        name: name?,
        when: when?,
        scopes_allowed: scopes?,
        max_token_lifetime: lifetime?,
        allow_overrun: overrun?.unwrap_or(false),
    })
}

fn when(rule: &mut Table<'_, '_>) -> Read<When> {
    let Some(mut table) = rule.inner("when")? else { return Ok(When::default()) };
    let delegators = set(table.texts("delegator_groups", id(GroupId::parse)));
    let agents = set(table.texts("agent_groups", id(GroupId::parse)));
    let clients = set(table.texts("clients", id(ClientId::parse)));
    let scopes = set(table.texts("scopes", parse::scope));
    table.finish()?;
    Ok(When { delegator_groups: delegators?, agent_groups: agents?, clients: clients?, scopes: scopes? })
}

fn set<T: Ord>(items: Read<Option<Vec<T>>>) -> Read<BTreeSet<T>> {
    items.map(|items| items.unwrap_or_default().into_iter().collect())
}

fn id<T>(parse: impl Fn(&str) -> Result<T, IdError>) -> impl Fn(&str) -> Result<T, Fault> {
    move |text| parse(text).map_err(|e| fault(format!("an id {e}"), "give the directory's immutable id"))
}

fn scopes_allowed(rule: &mut Table<'_, '_>) -> Read<Option<BTreeSet<String>>> {
    match rule.texts("scopes_allowed", parse::scope)? {
        None => Ok(None),
        Some(scopes) if scopes.is_empty() => {
            let remedy = "name the scopes, or leave it out to allow all";
            Err(rule.wrong("scopes_allowed", fault("allows no scope at all", remedy)))
        }
        Some(scopes) => Ok(Some(scopes.into_iter().collect())),
    }
}

/// Checks the stages and their settings. None of them is built yet, so naming one is always a mistake.
fn stages(rule: &mut Table<'_, '_>) -> Read<()> {
    let named = rule.texts("stages", |text| Ok(text.to_owned()));
    let settings = settings_of(rule);
    let named = named?.unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut all_well = settings;
    for stage in &named {
        let twice = !seen.insert(stage.as_str());
        let fault = match stage.as_str() {
            _ if twice => fault(format!("`{stage}` is named twice"), "name it once"),
            "grant" | "lock" => fault(format!("`{stage}` always runs"), "leave it out"),
            "approval" | "elevation" | "reservation" => {
                fault(format!("stage `{stage}` isn't built yet"), "remove the stage and its settings, or the rule")
            }
            _ => fault(format!("`{stage}` is no stage"), "known are approval, elevation, reservation"),
        };
        all_well = Err(rule.wrong("stages", fault));
    }
    for (stage, needs_settings) in [("approval", true), ("elevation", false)] {
        let (named, settings) = (seen.contains(stage), rule.has(stage));
        if settings && !named {
            all_well =
                Err(rule.wrong(stage, fault("has settings, but `stages` doesn't name it", "do both or neither")));
        }
        if named && needs_settings && !settings {
            all_well = Err(rule.wrong(stage, fault("is named in `stages`, but has no settings", "do both or neither")));
        }
    }
    all_well
}

fn settings_of(rule: &mut Table<'_, '_>) -> Read<()> {
    let approval = match rule.inner("approval")? {
        Some(table) => approval(table),
        None => Ok(()),
    };
    // What an elevation's settings are is for its own issue to say.
    rule.inner("elevation")?;
    approval
}

/// The shape of an approval's settings; the values aren't kept before the stage exists.
fn approval(mut table: Table<'_, '_>) -> Read<()> {
    const DEMANDS: &[(&str, ())] = &[("required", ()), ("optional", ())];
    let kind = table.text("type", parse::choice(&[("approve", ()), ("sign_and_approve", ())]));
    let kind = table.required("type", kind);
    let approvers = table.texts("approvers", approver);
    let approvers = match table.required("approvers", approvers) {
        Ok(list) if list.is_empty() => Err(table.wrong("approvers", fault("is empty", "name who may approve"))),
        other => other.map(drop),
    };
    let parts = [
        kind,
        approvers,
        table.number("quorum", 1, 16).map(drop),
        table.text("decide_within", duration).map(drop),
        table.text("use_within", duration).map(drop),
        table.text("valid_for", duration).map(drop),
        table.number("max_uses", 1, 1000).map(drop),
        table.text("reason", parse::choice(DEMANDS)).map(drop),
        table.text("ticket", parse::choice(DEMANDS)).map(drop),
        table.flag("delegator_may_approve").map(drop),
        table.finish(),
    ];
    if parts.contains(&Err(Recorded)) { Err(Recorded) } else { Ok(()) }
}

fn approver(text: &str) -> Result<(), Fault> {
    let known = match text.split_once(':') {
        Some(("group", id)) => GroupId::parse(id).is_ok(),
        Some(("user", id)) => UserId::parse(id).is_ok(),
        _ => false,
    };
    let remedy = "write `group:<id>` or `user:<id>`";
    if known { Ok(()) } else { Err(fault(format!("`{text}` names no approver"), remedy)) }
}

#[cfg(test)]
mod tests;
