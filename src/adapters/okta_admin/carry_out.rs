//! One change after the other, until all are made or one fails.

use secrecy::SecretString;
use serde_json::Value;

use super::{
    change::{Call, Change, Missing, Target, Targets},
    client::{CallError, Client},
    found::UserType,
    plan::Plan,
};

/// Why a change wasn't made, and how far it went.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Stopped {
    /// How many changes were made before.
    pub made: usize,
    /// Why the next one wasn't.
    #[source]
    pub why: WhyStopped,
}

/// Why a change wasn't made.
#[derive(Debug, thiserror::Error)]
pub enum WhyStopped {
    /// Okta didn't do it, or didn't say whether it did.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It needs something that isn't there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Okta answers without what the next changes need.
    #[error("Okta's answer doesn't have {0}, which the next steps need")]
    Answer(&'static str),
}

impl Stopped {
    /// True if the change may have been made all the same.
    pub fn is_unclear(&self) -> bool {
        matches!(self.why, WhyStopped::Call(CallError::Unavailable(_)) | WhyStopped::Answer(_))
    }
}

/// Makes the plan's changes in their order on this authorization server; `tell` hears of each before it is made.
pub async fn carry_out(
    client: &Client,
    server: &str,
    plan: &Plan,
    secret: Option<&SecretString>,
    mut tell: impl FnMut(usize, &Change),
) -> Result<(), Stopped> {
    let mut targets = Targets { server: server.to_owned(), schema: None, hook: None, policies: [].into(), secret };
    for (made, change) in plan.changes.iter().enumerate() {
        tell(made, change);
        one(client, change, &mut targets).await.map_err(|why| Stopped { made, why })?;
    }
    Ok(())
}

async fn one(client: &Client, change: &Change, targets: &mut Targets<'_>) -> Result<(), WhyStopped> {
    let call: Call = change.call(targets)?;
    let answer = client.change(&call).await?;
    match change {
        Change::MakeType => targets.schema = Some(schema(&answer)?),
        Change::MakeHook(_) => targets.hook = Some(id(&answer, "the hook's id")?),
        Change::MakePolicy { client, .. } => {
            targets.policies.insert(client.clone(), id(&answer, "the policy's id")?);
        }
        Change::MakeAttribute(Target::There(_) | Target::Made)
        | Change::ProtectAttribute { .. }
        | Change::MakeScope(_)
        | Change::MakeClaim(_)
        | Change::WriteClaim { .. }
        | Change::WriteHook { .. }
        | Change::ActivateHook { .. }
        | Change::MakeRule { .. }
        | Change::HookOnRule { .. }
        | Change::MovePolicy { .. }
        | Change::ActivatePolicy { .. } => {}
    }
    Ok(())
}

fn id(answer: &Value, what: &'static str) -> Result<String, WhyStopped> {
    let id = answer["id"].as_str().filter(|id| !id.is_empty());
    id.map(str::to_owned).ok_or(WhyStopped::Answer(what))
}

fn schema(answer: &Value) -> Result<String, WhyStopped> {
    let made: Option<UserType> = serde_json::from_value(answer.clone()).ok();
    let schema = made.as_ref().and_then(|made| made.schema().map(str::to_owned));
    schema.ok_or(WhyStopped::Answer("the user type's schema"))
}
