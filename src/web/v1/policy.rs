//! What policy would decide, and why.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{
        approvals::outlook::Outlook,
        explain::{self as explanation, Explanation, Question},
    },
    domain::{
        approval::template::Template,
        hook::TraceLine,
        ids::ClientId,
        reason::Reason,
        rule::{Explained, Fit, Missed, Rule},
        user::{Status, User},
    },
    policy::dry::At,
    web::{
        error::ApiError,
        extract::{Json, Then, Writer, scope_set, user_ref},
        problem::{AdministratorProblems, BodyProblems, CallerProblems},
        state::AppState,
    },
};

/// When it would be decided.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// When the client asks for a delegation.
    Initiation,
    /// When the token is minted, with a delegation that was prepared for nothing: a rule with stages is then the refusal
    /// `stage-missing`.
    #[default]
    Hook,
}

impl From<Moment> for At {
    fn from(moment: Moment) -> Self {
        match moment {
            Moment::Initiation => Self::Initiation,
            Moment::Hook => Self::Hook,
        }
    }
}

/// Who, for whom, through what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"agent": "ann@example.com", "delegator": "bob@example.com", "client": "payments",
    "scopes": ["payments.read"], "at": "hook"}))]
pub struct ExplainRequest {
    /// Id or login of who would act.
    #[schema(min_length = 1, max_length = 320)]
    agent: String,
    /// Id or login of on whose behalf.
    #[schema(min_length = 1, max_length = 320)]
    delegator: String,
    /// The OAuth client.
    #[schema(max_length = 256)]
    client: String,
    /// The scopes that would be asked for; default: none.
    #[schema(min_items = 1, max_items = 100)]
    scopes: Option<Vec<String>>,
    /// When; default: `hook`.
    at: Option<Moment>,
}

/// A user as the directory knows him.
#[derive(Serialize, ToSchema)]
pub struct Known {
    /// Immutable id.
    id: String,
    /// Login.
    login: String,
    /// Whether the account works.
    active: bool,
}

impl From<&User> for Known {
    fn from(user: &User) -> Self {
        Self { id: user.id.to_string(), login: user.login.to_string(), active: user.status == Status::Active }
    }
}

/// What a stage said.
#[derive(Serialize, ToSchema)]
pub struct StageSaid {
    /// The stage.
    stage: String,
    /// `continue`, `prepare`, or the exact reason of the refusal. With `prepare` as the decision, `reserved` says that the
    /// account is held now: the approval comes first.
    said: String,
}

impl From<TraceLine> for StageSaid {
    fn from(line: TraceLine) -> Self {
        Self { stage: line.stage, said: line.said }
    }
}

/// A condition that isn't met: none of the wanted is among the present.
#[derive(Serialize, ToSchema)]
pub struct MissedCondition {
    /// Its key in the configuration.
    condition: &'static str,
    /// What the rule names.
    wanted: BTreeSet<String>,
    /// What there is.
    present: BTreeSet<String>,
}

impl From<Missed> for MissedCondition {
    fn from(missed: Missed) -> Self {
        Self { condition: missed.condition.key(), wanted: missed.wanted, present: missed.present }
    }
}

/// What became of a rule.
#[derive(Serialize, ToSchema)]
pub struct RuleSaid {
    /// Its name.
    name: String,
    /// `matched`; `shadowed`: an earlier one matched; `missed`.
    fit: &'static str,
    /// The conditions that aren't met.
    missed: Vec<MissedCondition>,
}

impl From<Explained> for RuleSaid {
    fn from(explained: Explained) -> Self {
        let (fit, missed) = match explained.fit {
            Fit::Matched => ("matched", Vec::new()),
            Fit::Shadowed => ("shadowed", Vec::new()),
            Fit::Missed(missed) => ("missed", missed.into_iter().map(MissedCondition::from).collect()),
        };
        Self { name: explained.rule, fit, missed }
    }
}

/// The rule that applies.
#[derive(Serialize, ToSchema)]
pub struct Applies {
    /// Its name.
    name: String,
    /// What it asks for beyond grant and lock.
    stages: Vec<&'static str>,
    /// Which approval.
    #[schema(value_type = Option<Object>)]
    approval: Option<Template>,
    /// Upper bound of the token's scopes.
    scopes_allowed: Option<BTreeSet<String>>,
    /// Upper bound of the token's lifetime, seconds.
    max_token_lifetime: Option<u64>,
    /// Whether the identity provider's minimum is used where the bound lies below it.
    allow_overrun: bool,
}

impl From<Rule> for Applies {
    fn from(rule: Rule) -> Self {
        Self {
            stages: rule.stages(),
            name: rule.name,
            approval: rule.approval,
            scopes_allowed: rule.scopes_allowed,
            max_token_lifetime: rule.max_token_lifetime,
            allow_overrun: rule.allow_overrun,
        }
    }
}

/// What would be decided, and why.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"decision": "refused", "reason": "stage-missing", "public": "stage-missing", "at": "hook",
    "agent": {"id": "00u1ann", "login": "ann@example.com", "active": true},
    "delegator": {"id": "00u1bob", "login": "bob@example.com", "active": true},
    "scopes": ["payments.read"],
    "trace": [{"stage": "grant", "said": "continue"}, {"stage": "lock", "said": "continue"},
        {"stage": "rules", "said": "continue"}, {"stage": "approval", "said": "continue"},
        {"stage": "reservation", "said": "stage-missing"}],
    "rules": [{"name": "directors", "fit": "missed", "missed": [
        {"condition": "delegator_groups", "wanted": ["00g1dir"], "present": []}]},
        {"name": "payments", "fit": "matched", "missed": []}],
    "rule": {"name": "payments", "stages": ["reservation"], "approval": null, "scopes_allowed": null,
        "max_token_lifetime": 600, "allow_overrun": false}}))]
pub struct PolicyAnswer {
    /// `granted`; `prepare`: at the initiation, once the rule's stages are done; `refused`.
    decision: &'static str,
    /// Why not, exactly.
    reason: Option<&'static str>,
    /// What the agent would be told of it.
    public: Option<&'static str>,
    /// When it would be decided.
    at: Moment,
    /// Who would act; `null`: the directory doesn't know him.
    agent: Option<Known>,
    /// On whose behalf; `null`: the directory doesn't know him.
    delegator: Option<Known>,
    /// The scopes to which the delegation would be bound.
    scopes: BTreeSet<String>,
    /// A line for each stage that ran; the first refusal stops.
    trace: Vec<StageSaid>,
    /// A word about every rule, in order; empty if users or grant aren't there.
    rules: Vec<RuleSaid>,
    /// The rule that applies; `null`: grant and lock alone.
    rule: Option<Applies>,
    /// What there is of the approval that the rule asks for; absent if it asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    approval: Option<Standing>,
}

/// A standing approval of this agent, delegator and client for these scopes, or that there is none.
#[derive(Serialize, ToSchema)]
pub struct Standing {
    /// `use`: there is one, which an initiation with the same reason and ticket would use; `wait`: there is one, which waits
    /// for votes; `ask`: there is none, and one would be asked for.
    would: &'static str,
    /// Which.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<String>,
    /// How often it can be used still.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    uses_left: Option<u32>,
}

impl From<Outlook> for Standing {
    fn from(outlook: Outlook) -> Self {
        match outlook {
            Outlook::Uses { id, left } => Self { would: "use", id: Some(id.to_string()), uses_left: Some(left) },
            Outlook::Waits(id) => Self { would: "wait", id: Some(id.to_string()), uses_left: None },
            Outlook::Needs => Self { would: "ask", id: None, uses_left: None },
        }
    }
}

impl From<Explanation> for PolicyAnswer {
    fn from(told: Explanation) -> Self {
        let Explanation { question, agent, delegator, answer, approval } = told;
        let reason = answer.decision.reason();
        Self {
            decision: answer.decision.code(),
            reason: reason.map(Reason::code),
            public: reason.map(|reason| reason.public().code()),
            at: match question.at {
                At::Initiation => Moment::Initiation,
                At::Hook => Moment::Hook,
            },
            agent: agent.as_ref().map(Known::from),
            delegator: delegator.as_ref().map(Known::from),
            scopes: question.scopes,
            trace: answer.trace.into_iter().map(StageSaid::from).collect(),
            rules: answer.rules.into_iter().map(RuleSaid::from).collect(),
            rule: answer.rule.map(Applies::from),
            approval: approval.map(Standing::from),
        }
    }
}

/// Tells what would be decided about a delegation, and why. For administrators.
///
/// Runs grant, lock and rules against the live directory and the store as the decision itself does, and consumes
/// nothing. Stages that a rule asks for are named, not run.
#[utoipa::path(
    operation_id = "policy-explain", tag = "policy", request_body = ExplainRequest,
    responses((status = 200, description = "Told.", body = PolicyAnswer), CallerProblems, BodyProblems, AdministratorProblems),
    security(("user_token" = []))
)]
#[post("/v1/policy/explain")]
pub async fn explain(
    Then(Writer { door, caller }, Json(body)): Then<Writer, Json<ExplainRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let client = ClientId::parse(&body.client)
        .map_err(|error| ApiError::Invalid { field: Some("client".to_owned()), problem: error.to_string() })?;
    let question = Question {
        agent: user_ref("agent", &body.agent)?,
        delegator: user_ref("delegator", &body.delegator)?,
        client,
        scopes: body.scopes.map(|scopes| scope_set("scopes", scopes)).transpose()?.unwrap_or_default(),
        at: body.at.unwrap_or_default().into(),
    };
    let told = explanation::explain(&state.services, &door.tenant, &caller, question).await?;
    Ok(HttpResponse::Ok().json(PolicyAnswer::from(told)))
}
