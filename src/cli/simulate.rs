//! `behalf simulate`: what would be decided now, and why.

use std::{collections::BTreeSet, fmt::Write as _, process::ExitCode, sync::Arc};

use clap::{Args, ValueEnum};

use super::{fail, print};
use crate::{
    adapters::system::{OsEntropy, SystemClock},
    app::{
        approvals::outlook::Outlook,
        explain::{Explanation, Question},
    },
    boot::Behalf,
    config::Config,
    domain::{
        ids::{ClientId, IdError, TenantName, UserRef},
        reason::Reason,
        rule::{Explained, Fit, Missed},
        user::User,
    },
    policy::dry::{At, Decision},
    web::v1::policy::PolicyAnswer,
};

/// It can't be told what would be decided.
const UNKNOWN: u8 = 2;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Moment {
    /// When the client asks for a delegation
    Initiation,
    /// When the token is minted
    Hook,
}

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// Id or login of who would act
    #[arg(long, value_parser = UserRef::parse)]
    agent: UserRef,
    /// Id or login of on whose behalf
    #[arg(long, value_parser = UserRef::parse)]
    delegator: UserRef,
    /// The OAuth client
    #[arg(long, value_parser = ClientId::parse)]
    client: ClientId,
    /// A scope that would be asked for; may be repeated
    #[arg(long, value_parser = scope)]
    scope: Vec<String>,
    /// The tenant
    #[arg(long, default_value = TenantName::DEFAULT, value_parser = tenant)]
    tenant: TenantName,
    /// When it would be decided
    #[arg(long, value_enum, default_value = "hook")]
    at: Moment,
    /// Print JSON, as /v1/policy/explain answers
    #[arg(long)]
    json: bool,
}

fn tenant(text: &str) -> Result<TenantName, IdError> {
    TenantName::parse(text)
}

fn scope(text: &str) -> Result<String, &'static str> {
    let fits = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let is_one = (1..=256).contains(&text.len()) && text.bytes().all(fits);
    if is_one { Ok(text.to_owned()) } else { Err("is not the name of a scope (RFC 6749 3.3)") }
}

/// Prints what would be decided. Succeeds if it is yes, fails with 1 if it is no, with 2 if it can't be told.
pub(super) async fn run(args: SimulateArgs) -> ExitCode {
    let config = match Config::from_process() {
        Ok(config) => config,
        Err(mistakes) => return could_not_tell(&mistakes),
    };
    let question = Question {
        agent: args.agent,
        delegator: args.delegator,
        client: args.client,
        scopes: args.scope.into_iter().collect::<BTreeSet<_>>(),
        at: match args.at {
            Moment::Initiation => At::Initiation,
            Moment::Hook => At::Hook,
        },
    };
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(OsEntropy));
    let told = match Behalf::simulate(&config, &args.tenant, question, clock, entropy).await {
        Ok(told) => told,
        Err(why) => return could_not_tell(&why),
    };
    let code = exit_code(told.answer.decision);
    let text = if args.json { json(told) } else { Ok(in_words(&told)) };
    match text {
        Ok(text) => {
            print(&text);
            ExitCode::from(code)
        }
        Err(why) => could_not_tell(&why),
    }
}

fn could_not_tell(why: &dyn std::fmt::Display) -> ExitCode {
    fail(why);
    ExitCode::from(UNKNOWN)
}

fn exit_code(decision: Decision) -> u8 {
    match decision {
        Decision::Granted | Decision::Prepares => 0,
        Decision::Refused(reason) if reason.is_failure() => UNKNOWN,
        Decision::Refused(_) => 1,
    }
}

fn json(told: Explanation) -> Result<String, String> {
    let text = serde_json::to_string_pretty(&PolicyAnswer::from(told)).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}

fn in_words(told: &Explanation) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing to a String doesn't fail.
        let _ = writeln!(out, "{text}");
    };
    line(match told.answer.decision.reason() {
        None => told.answer.decision.code().to_owned(),
        Some(reason) => format!("refused: {} (the agent is told: {})", reason.code(), reason.public().code()),
    });
    if told.answer.decision.reason() == Some(Reason::StageMissing) {
        line("prepared: no; the hook grants a delegation that was begun with what the rule asks for".to_owned());
        line("(`--at initiation` tells whether it could be begun now)".to_owned());
    }
    line(format!("agent: {}", person(told.agent.as_ref(), &told.question.agent)));
    line(format!("delegator: {}", person(told.delegator.as_ref(), &told.question.delegator)));
    for said in &told.answer.trace {
        line(format!("stage {}: {}", said.stage, said.said));
    }
    for rule in &told.answer.rules {
        line(format!("rule \"{}\": {}", rule.rule, fit(rule)));
    }
    if let Some(rule) = told.answer.rule.as_ref().filter(|rule| rule.asks_for_stages()) {
        line(format!("asks for: {}", rule.stages().join(", ")));
        if let Some(approval) = &rule.approval {
            let by: Vec<String> = approval.approvers.iter().map(ToString::to_string).collect();
            line(format!("approval: {} of {}", approval.quorum, by.join(", ")));
        }
    }
    match &told.approval {
        None => {}
        Some(Outlook::Uses { id, left }) => {
            line(format!(
                "would use approval {id} ({left} uses left), for the reason and ticket that it was asked with"
            ));
        }
        Some(Outlook::Waits(id)) => {
            line(format!("would wait for approval {id}, for the reason and ticket that it was asked with"));
        }
        Some(Outlook::Needs) => line("would need approval: there is none for this".to_owned()),
    }
    out
}

fn person(found: Option<&User>, asked: &UserRef) -> String {
    match found {
        Some(user) if user.is_active() => format!("{} ({})", user.login, user.id),
        Some(user) => format!("{} ({}), not active", user.login, user.id),
        None => format!("{} is not in the directory", asked.as_str()),
    }
}

fn fit(rule: &Explained) -> String {
    match &rule.fit {
        Fit::Matched => "matched".to_owned(),
        Fit::Shadowed => "would match, but an earlier one does".to_owned(),
        Fit::Missed(missed) => missed.iter().map(condition).collect::<Vec<_>>().join("; "),
    }
}

fn condition(missed: &Missed) -> String {
    let list = |items: &BTreeSet<String>| items.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let present = if missed.present.is_empty() { "nothing".to_owned() } else { list(&missed.present) };
    format!("{} is {present}, none of {}", missed.condition.key(), list(&missed.wanted))
}
