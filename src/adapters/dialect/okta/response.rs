//! The answer in Okta's words: JSON-Patch-like commands, an error, or nothing.

use serde::Serialize;
use serde_json::Value;

use super::LIFETIME_BOUNDS;
use crate::{
    domain::{
        chain::SealedHead,
        claims::{ClaimPatch, TokenPatch},
        hook::{Decision, Effect, HookRequest, Outcome, TokenFacts},
        reason::Reason,
    },
    ports::dialect::HookResponse,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    commands: Option<Vec<Command<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    debug_context: DebugContext<'a>,
}

#[derive(Serialize)]
struct Command<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    value: Vec<Operation<'a>>,
}

#[derive(Serialize)]
struct Operation<'a> {
    op: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Operand<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Operand<'a> {
    Claim(&'a Value),
    Seconds(u64),
}

/// Okta shows the summary to the user as `error_description`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    error_summary: String,
}

/// Okta writes this to its System Log, for administrators only.
#[derive(Serialize)]
struct DebugContext<'a> {
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    stages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<SealedHead>,
}

/// Writes the decision down so that Okta applies it whole.
pub(super) fn encode(request: &HookRequest<'_>, decision: &Decision) -> HookResponse {
    let (commands, error) = match &decision.effect {
        Effect::Untouched if decision.outcome == Outcome::Untouched => {
            return HookResponse { status: 204, body: String::new() };
        }
        Effect::Untouched => (Some(Vec::new()), None),
        Effect::Patch(patch) => (Some(commands(request, patch)), None),
        Effect::Reject => (None, Some(failure(decision.outcome))),
    };
    let answer = Answer { commands, error, debug_context: debug_context(decision) };
    HookResponse { status: 200, body: write(&answer) }
}

#[expect(clippy::expect_used, reason = "texts, numbers and JSON values can always be written")]
fn write(answer: &Answer<'_>) -> String {
    serde_json::to_string(answer).expect("an answer is JSON")
}

/// The public half of the reason only: the user reads it.
fn failure(outcome: Outcome) -> Failure {
    let public = outcome.reason().unwrap_or(Reason::Internal).public();
    Failure { error_summary: format!("{} ({})", public.text(), public.code()) }
}

fn debug_context(decision: &Decision) -> DebugContext<'_> {
    DebugContext {
        decision: decision.outcome.code(),
        reason: decision.outcome.reason().map(Reason::code),
        event: decision.event.as_deref(),
        stages: decision.trace.iter().map(|line| format!("{}:{}", line.stage, line.said)).collect(),
        audit: decision.sealed,
    }
}

/// A command for a token that isn't being minted would void the others too.
fn commands<'a>(request: &HookRequest<'_>, patch: &'a ClaimPatch) -> Vec<Command<'a>> {
    let tokens = [
        ("com.okta.identity.patch", &request.identity, &patch.identity),
        ("com.okta.access.patch", &request.access, &patch.access),
    ];
    let minted = tokens.into_iter().filter_map(|(kind, token, patch)| Some((kind, token.as_ref()?, patch)));
    minted
        .map(|(kind, token, patch)| Command { kind, value: operations(token, patch) })
        .filter(|command| !command.value.is_empty())
        .collect()
}

/// Sets, then removals, each by name, then the lifetime. What Okta would refuse, the removal of a claim that isn't
/// there, is left out.
fn operations<'a>(token: &TokenFacts<'_>, patch: &'a TokenPatch) -> Vec<Operation<'a>> {
    let set = patch.set.iter().map(|(name, value)| Operation {
        op: if token.has(name) { "replace" } else { "add" },
        path: claim_path(name),
        value: Some(Operand::Claim(value)),
    });
    let remove = patch
        .remove
        .iter()
        .filter(|name| token.has(name) && !patch.set.contains_key(*name))
        .map(|name| Operation { op: "remove", path: claim_path(name), value: None });
    let (least, most) = LIFETIME_BOUNDS;
    let lifetime = patch.lifetime.map(|seconds| Operation {
        op: "replace",
        path: "/token/lifetime/expiration".to_owned(),
        value: Some(Operand::Seconds(seconds.clamp(least, most))),
    });
    set.chain(remove).chain(lifetime).collect()
}

/// A JSON pointer (RFC 6901, section 3) to a claim.
fn claim_path(name: &str) -> String {
    format!("/claims/{}", name.replace('~', "~0").replace('/', "~1"))
}
