//! The inline hook.

use super::Plan;
use crate::adapters::okta_admin::{
    change::{Change, HookDraft, Target},
    found::Hook,
    wish::{HookWish, SecretState, Wish},
};

/// The hook that rules are to call. `None`: there is none that can be used, and that was said.
pub(super) fn hook(wish: &Wish, hooks: &[Hook], plan: &mut Plan) -> Option<Target> {
    let want = &wish.hook;
    let here: Vec<&Hook> = hooks.iter().filter(|hook| calls_here(hook, want)).collect();
    match here.as_slice() {
        [one] => Some(existing(wish, one, plan)),
        [] => elsewhere(wish, hooks, plan),
        many => {
            let ids: Vec<_> = many.iter().map(|hook| format!("`{}` ({})", hook.name, hook.id)).collect();
            plan.error(format!("several inline hooks call this service: {}; delete all but one", ids.join(", ")));
            None
        }
    }
}

/// No hook calls here. One of our name may have moved.
fn elsewhere(wish: &Wish, hooks: &[Hook], plan: &mut Plan) -> Option<Target> {
    let want = &wish.hook;
    let Some(named) = hooks.iter().find(|hook| hook.name == want.name) else {
        plan.change(Change::MakeHook(draft(want, None)));
        return Some(Target::Made);
    };
    if wish.fix && named.channel.kind == "HTTP" {
        plan.change(Change::WriteHook { id: named.id.clone(), draft: draft(want, Some(named)) });
        activation(wish, named, plan);
        return Some(Target::There(named.id.clone()));
    }
    plan.error(format!(
        "the inline hook `{}` ({}) calls {}; --fix gives it the address of this service{}, or give it another name",
        named.name,
        named.id,
        named.channel.config.uri,
        if named.channel.kind == "HTTP" { "" } else { " if it sends a secret, but it sends an OAuth token" },
    ));
    None
}

fn existing(wish: &Wish, hook: &Hook, plan: &mut Plan) -> Target {
    let want = &wish.hook;
    let known = format!("inline hook `{}` ({})", hook.name, hook.id);
    if hook.channel.kind == "OAUTH" {
        if want.bearer {
            plan.good(format!("{known}, which sends an OAuth token"));
        } else {
            plan.error(format!(
                "the {known} sends an OAuth token, and behalf isn't set up for one: set BEHALF_HOOK_BEARER_…, or delete \
                 the hook"
            ));
        }
    } else {
        header_and_secret(wish, hook, &known, plan);
    }
    activation(wish, hook, plan);
    Target::There(hook.id.clone())
}

fn header_and_secret(wish: &Wish, hook: &Hook, known: &str, plan: &mut Plan) {
    let want = &wish.hook;
    let key = hook.channel.config.auth.as_ref().map(|auth| auth.key.as_str()).unwrap_or_default();
    let right = key.eq_ignore_ascii_case(&want.header);
    if want.set_secret || (wish.fix && !right) {
        plan.change(Change::WriteHook { id: hook.id.clone(), draft: draft(want, Some(hook)) });
        return;
    }
    if !right {
        let sends = if key.is_empty() { "no secret".to_owned() } else { format!("its secret in the header `{key}`") };
        plan.error(format!(
            "the {known} sends {sends}, and behalf expects one in `{}`: --fix changes the hook, BEHALF_HOOK_HEADER the \
             service",
            want.header
        ));
        return;
    }
    if want.secret == SecretState::None {
        plan.error(format!(
            "the {known} has a secret, which Okta never tells: set BEHALF_HOOK_SECRET to it, or run with --set-secret to \
             give it a new one"
        ));
        return;
    }
    plan.good(format!(
        "{known}; Okta never tells its secret, so that it is yours wasn't checked (--set-secret writes it again)"
    ));
}

/// Somebody may have switched it off on purpose.
fn activation(wish: &Wish, hook: &Hook, plan: &mut Plan) {
    if hook.status == "ACTIVE" {
        return;
    }
    if wish.fix {
        plan.change(Change::ActivateHook { id: hook.id.clone(), name: hook.name.clone() });
    } else {
        plan.error(format!("the inline hook `{}` ({}) is switched off: --fix activates it", hook.name, hook.id));
    }
}

fn calls_here(hook: &Hook, want: &HookWish) -> bool {
    url::Url::parse(&hook.channel.config.uri).is_ok_and(|address| want.addresses.contains(&address))
}

/// A hook that calls here already keeps its name and address, whichever of ours it is.
fn draft(want: &HookWish, found: Option<&Hook>) -> HookDraft {
    let kept = found.filter(|hook| calls_here(hook, want)).map(|hook| hook.channel.config.uri.clone());
    HookDraft {
        name: found.map_or_else(|| want.name.clone(), |hook| hook.name.clone()),
        address: kept.or_else(|| want.addresses.first().map(ToString::to_string)).unwrap_or_default(),
        header: want.header.clone(),
        headers: found.and_then(|hook| hook.channel.config.headers.clone()).unwrap_or_default(),
    }
}
