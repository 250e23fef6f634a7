//! Changes of a user's list that lose nothing that others change meanwhile.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Scim,
    resource::{Resource, version_of},
    service::{Refusal, Reply},
};
use crate::{
    adapters::directory::entries::MOST_AGENTS,
    domain::ids::UserId,
    ports::directory::{DirectoryError, Written},
};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Tries to write the whole user, each from what he then is.
const TRIES: u32 = 8;

/// What shall be so.
#[derive(Clone, Copy)]
struct Change<'c> {
    delegator: &'c UserId,
    agent: &'c UserId,
    listed: bool,
}

/// How an attempt went.
enum Went {
    Done(Written),
    /// It can't be made in this way.
    Refused(Refusal),
}

impl Scim {
    pub(super) async fn set(
        &self,
        delegator: &UserId,
        agent: &UserId,
        listed: bool,
    ) -> Result<Written, DirectoryError> {
        let change = Change { delegator, agent, listed };
        let Some(before) = self.resource(delegator).await? else { return change.of_nobody() };
        if before.lists(agent) == listed {
            return Ok(Written::Already);
        }
        if listed && before.agents.len() >= MOST_AGENTS {
            return Err(full());
        }
        if listed && self.resource(agent).await?.is_none() {
            return Err(rejected("no such user: the agent is not there"));
        }
        let can = self.known.capabilities(&self.service).await?;
        let mut why = "its ServiceProviderConfig says that it has neither PATCH nor ETags".to_owned();
        // A server that compares loosely would take away the twin as well.
        if can.patch && before.has_twin_of(agent) {
            "another agent's id differs by case only, and it has no ETags".clone_into(&mut why);
        } else if can.patch {
            match self.by_value(change).await? {
                Went::Done(written) => return Ok(written),
                Went::Refused(Refusal { status, kind }) => {
                    why =
                        format!("it refuses to PATCH one value ({status}, {}), and has no ETags", kind.unwrap_or("-"));
                    if matches!(status.as_u16(), 405 | 501) {
                        self.known.forget().await;
                    }
                }
            }
        }
        if can.etag {
            return self.by_version(change).await;
        }
        Err(rejected(&format!("grants can't be changed safely: {why}")))
    }

    /// One `PATCH` of the one value. It is atomic at the server.
    async fn by_value(&self, change: Change<'_>) -> Result<Went, DirectoryError> {
        match self.patch(change).await? {
            Reply::Done(answer) => self.confirmed(change, version_of(&answer)).await.map(Went::Done),
            Reply::Refused(refusal) if refusal.status.as_u16() == 404 => change.of_nobody().map(Went::Done),
            // Somebody else took it away a moment ago.
            Reply::Refused(Refusal { kind: Some("noTarget"), .. }) if !change.listed => {
                self.confirmed(change, None).await.map(Went::Done)
            }
            Reply::Refused(refusal) => Ok(Went::Refused(refusal)),
        }
    }

    async fn patch(&self, change: Change<'_>) -> Result<Reply, DirectoryError> {
        let agent = change.agent.as_str();
        let operation = if change.listed {
            json!({"op": "add", "path": self.attribute.path(), "value": [self.attribute.item(agent)]})
        } else {
            json!({"op": "remove", "path": self.attribute.path_of(agent)})
        };
        let body = json!({"schemas": [PATCH], "Operations": [operation]});
        self.service.write(Method::PATCH, &["Users", change.delegator.as_str()], None, &body).await
    }

    /// The whole user, unless he was changed since he was read.
    async fn by_version(&self, change: Change<'_>) -> Result<Written, DirectoryError> {
        let _turn = self.turns.of(change.delegator).await;
        for tries in 0..TRIES {
            self.pause(tries).await;
            let Some(before) = self.resource(change.delegator).await? else { return change.of_nobody() };
            if before.lists(change.agent) == change.listed {
                return Ok(Written::Already);
            }
            if change.listed && before.agents.len() >= MOST_AGENTS {
                return Err(full());
            }
            if let Some(written) = self.replaced(change, &before).await? {
                return Ok(written);
            }
        }
        Err(DirectoryError::Unavailable(format!("others changed the user {TRIES} times while he was to be changed")))
    }

    /// `None`: somebody else was faster.
    async fn replaced(&self, change: Change<'_>, before: &Resource) -> Result<Option<Written>, DirectoryError> {
        let Some(version) = &before.version else {
            return Err(rejected("grants can't be changed safely: it says that it has ETags, and gives none"));
        };
        let body: Value = before.with(change.agent, change.listed, &self.attribute);
        let segments = ["Users", change.delegator.as_str()];
        match self.service.write(Method::PUT, &segments, Some(version), &body).await? {
            Reply::Done(answer) => self.confirmed(change, version_of(&answer)).await.map(Some),
            Reply::Refused(refusal) => match refusal.status.as_u16() {
                412 => Ok(None),
                404 => change.of_nobody().map(Some),
                _ => Err(refusal.rejected("it refuses to change the user")),
            },
        }
    }

    /// Reads again: some servers take what they don't know and drop it. `version` is the one that the change made.
    async fn confirmed(&self, change: Change<'_>, version: Option<String>) -> Result<Written, DirectoryError> {
        let Some(after) = self.resource(change.delegator).await? else {
            return if change.listed { change.of_nobody() } else { Ok(Written::Changed) };
        };
        if after.lists(change.agent) == change.listed {
            return self.within_bounds(change, &after).await;
        }
        // It was so, and somebody has changed it since. Of a removal nobody is told that who is listed still.
        if change.listed && version.is_some() && after.version.is_some() && version != after.version {
            return Ok(Written::Changed);
        }
        let schema = self.attribute.path();
        Err(rejected(&format!("it took the change, but does not show it: does it know and return {schema}?")))
    }

    /// Several who add at the same time may each have seen the last free place.
    async fn within_bounds(&self, change: Change<'_>, after: &Resource) -> Result<Written, DirectoryError> {
        if !change.listed || after.agents.len() <= MOST_AGENTS {
            return Ok(Written::Changed);
        }
        self.patch(Change { listed: false, ..change }).await?;
        Err(full())
    }
}

impl Change<'_> {
    fn of_nobody(self) -> Result<Written, DirectoryError> {
        if self.listed { Err(rejected("no such user: the delegator is not there")) } else { Ok(Written::Already) }
    }
}

fn full() -> DirectoryError {
    rejected(&format!("the delegator lists {MOST_AGENTS} agents, which is the most"))
}

fn rejected(why: &str) -> DirectoryError {
    DirectoryError::Rejected(why.to_owned())
}
