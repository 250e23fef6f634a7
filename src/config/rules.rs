//! `[[tenants.<name>.rules]]`: the shape is checked whole, and a stage that isn't built yet is refused, never ignored.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::{
    duration::{spell, whole_seconds},
    mistakes::{Fault, Findings, Read, fault},
    parse,
    table::Table,
};
use crate::domain::{
    approval::template::Template,
    claims::LifetimeBounds,
    ids::{ClientId, GroupId, IdError},
    rule::{Rule, When},
};

pub(in crate::config) mod approval;

/// Reads the rules under the key `at`, for an identity provider that can set tokens' lifetimes within `bounds`.
pub(super) fn rules(
    at: &str,
    value: Option<&Value>,
    bounds: Option<LifetimeBounds>,
    found: &mut Findings,
) -> Read<Vec<Rule>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let Value::Array(items) = value else {
        return Err(found.mistake_at(
            at,
            format!("key `{at}`"),
            fault("is not a list of tables", format!("write `[[{at}]]`")),
        ));
    };
    let mut names = BTreeSet::new();
    let read: Vec<Read<Rule>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let rule = rule(&format!("{at}[{index}]"), item, bounds, found)?;
            if names.insert(rule.name.clone()) {
                return Ok(rule);
            }
            let what = format!("another rule is called `{}` too", rule.name);
            let at = format!("{at}[{index}]");
            Err(found.mistake_at(&at, at.clone(), fault(what, "give every rule a name of its own")))
        })
        .collect();
    read.into_iter().collect()
}

fn rule(at: &str, value: &Value, bounds: Option<LifetimeBounds>, found: &mut Findings) -> Read<Rule> {
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
    let overrun = overrun(&mut table, &lifetime, &stages);
    let lasts = match (&overrun, &stages, bounds) {
        (Ok(false), Ok(Stages { approval: Some(template), .. }), Some((least, _))) => {
            lasts_a_token(&mut table, template, least)
        }
        _ => Ok(()),
    };
    table.finish()?;
    lasts?;
    let Stages { approval, reservation } = stages?;
    Ok(Rule {
        name: name?,
        when: when?,
        scopes_allowed: scopes?,
        max_token_lifetime: lifetime?,
        allow_overrun: overrun?,
        approval,
        reservation,
    })
}

/// Whether tokens may live longer than what limits them here, which there must be.
fn overrun(rule: &mut Table<'_, '_>, lifetime: &Read<Option<u64>>, stages: &Read<Stages>) -> Read<bool> {
    let overrun = rule.flag("allow_overrun")?.unwrap_or(false);
    if overrun && matches!((lifetime, stages), (Ok(None), Ok(Stages { approval: None, .. }))) {
        let what = "means nothing without `max_token_lifetime` or an approval";
        return Err(rule.wrong("allow_overrun", fault(what, "remove it")));
    }
    Ok(overrun)
}

/// A token lives no longer than its approval holds. One that holds too short for any token would never be of use.
fn lasts_a_token(rule: &mut Table<'_, '_>, template: &Template, least: u64) -> Read<()> {
    let holds = u64::try_from(template.valid_for.as_secs()).unwrap_or(0);
    if holds >= least {
        return Ok(());
    }
    let least = spell(Duration::from_secs(least));
    let what = format!("is less than the {least} that the identity provider's tokens live at least");
    let remedy = format!("give at least {least}, or the rule `allow_overrun = true`");
    match rule.inner("approval")? {
        Some(mut approval) => Err(approval.wrong("valid_for", fault(what, remedy))),
        None => Ok(()),
    }
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

/// What a rule demands beyond grant and lock.
struct Stages {
    approval: Option<Template>,
    reservation: bool,
}

/// The stages that a rule names, with their settings: neither goes without the other.
fn stages(rule: &mut Table<'_, '_>) -> Read<Stages> {
    let named = named_stages(rule);
    let settings = match rule.inner("approval") {
        Ok(Some(table)) => approval::template(table).map(Some),
        other => other.map(|_| None),
    };
    let named = named?;
    let asks_for = |stage: &str| named.contains(stage);
    if rule.has("approval") != asks_for("approval") {
        let what = if asks_for("approval") {
            "is named in `stages`, but has no settings"
        } else {
            "has settings, but `stages` doesn't name it"
        };
        return Err(rule.wrong("approval", fault(what, "do both or neither")));
    }
    Ok(Stages { approval: settings?, reservation: asks_for("reservation") })
}

fn named_stages(rule: &mut Table<'_, '_>) -> Read<BTreeSet<String>> {
    let named = rule.texts("stages", |text| Ok(text.to_owned()))?.unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut all_well = Ok(());
    for stage in named {
        let fault = match stage.as_str() {
            "approval" | "reservation" if !seen.contains(&stage) => {
                seen.insert(stage);
                continue;
            }
            "approval" | "reservation" => fault(format!("`{stage}` is named twice"), "name it once"),
            "grant" | "lock" => fault(format!("`{stage}` always runs"), "leave it out"),
            "elevation" => fault("stage `elevation` isn't built yet", "remove the stage, or the rule"),
            _ => fault(format!("`{stage}` is no stage"), "known are approval, reservation"),
        };
        all_well = Err(rule.wrong("stages", fault));
    }
    all_well.map(|()| seen)
}

#[cfg(test)]
mod tests;
