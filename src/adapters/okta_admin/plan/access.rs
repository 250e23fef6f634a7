//! Access policies: which apps' tokens the hook is asked about.
//!
//! The first active policy that covers an app decides. Where that one calls the hook, all is well, whoever made it.
//! Where it doesn't, the app gets a policy of its own, with the same rules and the hook on them: who gets which token
//! stays as it was. It stands behind all others until its rules are there, so that an interruption locks nobody out.

use serde_json::{Map, Value, json};

use super::Plan;
use crate::adapters::okta_admin::{
    change::{Change, Target, written_rule},
    found::{Policy, Rule, priority},
    wish::Wish,
};

pub(super) fn access(wish: &Wish, policies: &[Policy], hook: Option<&Target>, plan: &mut Plan) {
    let mut ordered: Vec<&Policy> = policies.iter().collect();
    ordered.sort_by_key(|policy| priority(&policy.raw));
    if wish.clients.is_empty() {
        anybody(&ordered, hook, plan);
    }
    let Some(hook) = hook else {
        if !wish.clients.is_empty() {
            plan.warning("access policies weren't looked at: first settle which hook they are to call");
        }
        return;
    };
    let mut last = ordered.iter().map(|policy| priority(&policy.raw)).filter(|at| *at < i64::MAX).max().unwrap_or(0);
    for client in &wish.clients {
        one(wish, client, &ordered, hook, &mut last, plan);
    }
}

/// Nobody was named: at least one rule should call the hook.
fn anybody(policies: &[&Policy], hook: Option<&Target>, plan: &mut Plan) {
    let Some(Target::There(id)) = hook else {
        plan.warning("no app was named (--client), so no access policy will call the hook");
        return;
    };
    let calling: Vec<_> =
        policies.iter().filter(|policy| policy.active() && calls(policy, id)).map(|policy| policy.name()).collect();
    if calling.is_empty() {
        plan.error(
            "no access policy calls the hook, so no token can be delegated: name the apps (--client 0oa…), or choose the \
             hook in a rule yourself",
        );
    } else {
        plan.good(format!("the hook is called by access policies: {}", calling.join(", ")));
    }
}

fn one(wish: &Wish, client: &str, policies: &[&Policy], hook: &Target, last: &mut i64, plan: &mut Plan) {
    let name = policy_name(client);
    let deciding = policies.iter().copied().find(|policy| policy.active() && policy.covers(client));
    let calling = |policy: &Policy| matches!(hook, Target::There(id) if calls(policy, id));
    if let Some(policy) = deciding.filter(|policy| calling(policy)) {
        plan.good(format!("app {client}: the access policy `{}` calls the hook", policy.name()));
        silent_rules(policy, plan);
        return;
    }
    let Some(ours) = policies.iter().copied().find(|policy| policy.name() == name) else {
        let Some(rules) = copies(deciding, client, hook, plan) else { return };
        *last += 1;
        plan.change(Change::MakePolicy { client: client.to_owned(), name: name.clone(), priority: *last });
        add(client, &Target::Made, hook, rules, plan);
        if deciding.is_some() {
            let client = client.to_owned();
            plan.change(Change::MovePolicy { client, policy: Target::Made, name, raw: None });
        }
        return;
    };
    if !ours.covers(client) {
        plan.error(format!("the access policy `{name}` doesn't cover the app {client}: assign it there"));
        return;
    }
    let target = Target::There(ours.id().to_owned());
    if !ours.active() && !wish.fix {
        plan.error(format!("the access policy `{name}` is switched off: --fix activates it"));
        return;
    }
    let template = policies.iter().copied().find(|p| p.active() && p.id() != ours.id() && p.covers(client));
    let behind = deciding.is_none_or(|policy| policy.id() != ours.id());
    let Some(rules) = missing(wish, Ours { policy: ours, template, behind }, client, hook, plan) else { return };
    add(client, &target, hook, rules, plan);
    if !ours.active() {
        plan.change(Change::ActivatePolicy { id: ours.id().to_owned(), name: name.clone() });
    }
    if behind && template.is_some() {
        let (client, raw) = (client.to_owned(), Some(ours.raw.clone()));
        plan.change(Change::MovePolicy { client, policy: target, name, raw });
    }
}

/// The policy of our name, and how it stands.
#[derive(Clone, Copy)]
struct Ours<'p> {
    policy: &'p Policy,
    /// The first other one that covers the app.
    template: Option<&'p Policy>,
    /// True if another one decides.
    behind: bool,
}

/// The rules that are still to be made in our policy; those that are there and call nothing get the hook. `None`:
/// something stands in the way, and that was said.
fn missing(
    wish: &Wish,
    Ours { policy: ours, template, behind }: Ours<'_>,
    client: &str,
    hook: &Target,
    plan: &mut Plan,
) -> Option<Vec<Map<String, Value>>> {
    if let Some(rule) = ours.active_rules().find(|rule| calls_another(rule, hook))
        && !wish.fix
    {
        plan.error(format!("{}; --fix chooses this service's", foreign_hook(rule, ours)));
        return None;
    }
    for rule in ours.active_rules().filter(|rule| rule.hook().is_none() || calls_another(rule, hook)) {
        let policy = ours.id().to_owned();
        plan.change(Change::HookOnRule { policy, rule: rule.raw.clone(), hook: hook.clone() });
    }
    // Once it decides, its rules are the business of whoever looks after it.
    let has_rules = ours.active_rules().next().is_some();
    if has_rules && (!behind || template.is_none()) {
        return Some(Vec::new());
    }
    let mut rules = copies(template, client, hook, plan)?;
    let there = |rule: &Map<String, Value>| ours.rules.iter().any(|one| one.raw.get("name") == rule.get("name"));
    rules.retain(|rule| !there(rule));
    Some(rules)
}

fn add(client: &str, policy: &Target, hook: &Target, rules: Vec<Map<String, Value>>, plan: &mut Plan) {
    for rule in rules {
        let (client, policy, hook) = (client.to_owned(), policy.clone(), hook.clone());
        plan.change(Change::MakeRule { client, policy, rule, hook });
    }
}

/// The rules of the policy that decided so far, or one where none did. `None`: one of them calls another hook.
fn copies(template: Option<&Policy>, client: &str, hook: &Target, plan: &mut Plan) -> Option<Vec<Map<String, Value>>> {
    let Some(template) = template else { return Some(vec![plain_rule()]) };
    if let Some(rule) = template.active_rules().find(|rule| calls_another(rule, hook)) {
        plan.error(format!("app {client}: {}", foreign_hook(rule, template)));
        return None;
    }
    let mut rules: Vec<&Rule> = template.active_rules().collect();
    if rules.is_empty() {
        plan.error(format!(
            "app {client}: the access policy `{}` decides about it and has no active rule: give it one, or take the app \
             out of it",
            template.name()
        ));
        return None;
    }
    rules.sort_by_key(|rule| priority(&rule.raw));
    let numbered = (1..).zip(rules).map(|(at, rule)| {
        let mut copy = written_rule(&rule.raw);
        copy.remove("status");
        copy.insert("priority".to_owned(), json!(at));
        copy
    });
    Some(numbered.collect())
}

fn plain_rule() -> Map<String, Value> {
    let rule = json!({
        "type": "RESOURCE_ACCESS", "name": "behalf", "priority": 1,
        "conditions": {
            "people": {"groups": {"include": ["EVERYONE"]}},
            "grantTypes": {"include": ["authorization_code"]},
            "scopes": {"include": ["*"]},
        },
        "actions": {"token": {
            "accessTokenLifetimeMinutes": 60, "refreshTokenLifetimeMinutes": 0, "refreshTokenWindowMinutes": 10080,
        }},
    });
    rule.as_object().cloned().unwrap_or_default()
}

fn calls(policy: &Policy, hook: &str) -> bool {
    policy.active_rules().any(|rule| rule.hook() == Some(hook))
}

fn calls_another(rule: &Rule, hook: &Target) -> bool {
    rule.hook().is_some_and(|id| !matches!(hook, Target::There(ours) if ours == id))
}

fn silent_rules(policy: &Policy, plan: &mut Plan) {
    let silent: Vec<_> = policy.active_rules().filter(|rule| rule.hook().is_none()).map(Rule::name).collect();
    if !silent.is_empty() {
        plan.warning(format!(
            "rules of `{}` call no hook, so tokens under them can't be delegated: {}",
            policy.name(),
            silent.join(", ")
        ));
    }
}

fn foreign_hook(rule: &Rule, policy: &Policy) -> String {
    format!(
        "the rule `{}` of the access policy `{}` calls another hook ({}), and a rule can call only one: choose there \
         which",
        rule.name(),
        policy.name(),
        rule.hook().unwrap_or_default()
    )
}

/// What the policy of an app is called.
pub(super) fn policy_name(client: &str) -> String {
    format!("behalf {client}")
}
