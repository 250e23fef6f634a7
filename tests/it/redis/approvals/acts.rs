//! What can be done at either process, and what came of it.

use std::{collections::BTreeMap, sync::Arc};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::rig::{AGENTS, APPROVERS, For};
use crate::{
    durability::rig::{Caller, Process, Told, World, disturbed},
    redis::pair::{DEADLINE, Shared},
};

/// Whoever calls both, as anybody.
#[derive(Clone)]
pub(super) struct Acts {
    pub(super) at: [Caller; 2],
    /// Where the approvers' tokens are.
    approvers: Arc<BTreeMap<&'static str, usize>>,
}

/// What an initiation came to.
pub(super) enum Initiated {
    Begun(String),
    Waits(String),
}

impl Acts {
    /// With everybody's grants.
    pub(super) async fn new(shared: &Shared, pair: &[Process; 2]) -> Self {
        let with_all = |caller: Caller| {
            let mut tokens = caller.tokens.to_vec();
            tokens.extend(APPROVERS.map(|name| token(&shared.world, name)));
            tokens.extend(For::all().map(|whom| shared.world.token(&whom.id(), &whom.login())));
            Caller { tokens: Arc::new(tokens), ..caller }
        };
        let at = shared.callers(pair).map(with_all);
        // Behind the agents there is Bob.
        let approvers = APPROVERS.iter().enumerate().map(|(n, name)| (*name, AGENTS + 1 + n)).collect();
        let acts = Self { at, approvers: Arc::new(approvers) };
        for (n, whom) in For::all().enumerate() {
            let agents = if let For::Account(agent) = whom { agent..agent + 1 } else { 0..AGENTS };
            for agent in agents {
                let body = json!({"agent": format!("00uann{agent}")});
                let who = AGENTS + 1 + APPROVERS.len() + n;
                let (status, said) = acts.at[0].call(Method::POST, "/v1/grants", who, Some(body)).await.unwrap();
                assert_eq!(status, StatusCode::CREATED, "{said}");
            }
        }
        acts
    }

    /// Initiates. While the machine is too busy, again; that finds what the first try left.
    pub(super) async fn initiate(&self, at: usize, agent: usize, whom: For, ticket: usize) -> Initiated {
        let body = json!({"delegator": whom.id(), "ticket": ticket.to_string()});
        let (status, said) = self.settled(at, Method::POST, "/v1/delegations", agent, Some(body)).await;
        match status.as_u16() {
            201 => Initiated::Begun(text(&said["delegationid"])),
            202 => Initiated::Waits(text(&said["approval"]["id"])),
            _ => panic!("{ticket}: {status} {said}"),
        }
    }

    /// An approval that nobody has decided about.
    pub(super) async fn asked(&self, at: usize, agent: usize, whom: For, ticket: usize) -> String {
        match self.initiate(at, agent, whom, ticket).await {
            Initiated::Waits(id) => id,
            Initiated::Begun(_) => panic!("{ticket}: nobody has approved"),
        }
    }

    pub(super) async fn begun(&self, at: usize, agent: usize, whom: For, ticket: usize) -> String {
        match self.initiate(at, agent, whom, ticket).await {
            Initiated::Begun(id) => id,
            Initiated::Waits(id) => panic!("{ticket}: {id} was approved"),
        }
    }

    /// Whether the vote counted; `None`: no clear answer.
    pub(super) async fn vote(&self, at: usize, name: &str, id: &str, decision: &str) -> Option<bool> {
        let body = json!({"decision": decision, "version": 1});
        self.done(at, Method::POST, &format!("/v1/approvals/{id}/votes"), self.approvers[name], Some(body)).await
    }

    pub(super) async fn withdraw(&self, at: usize, agent: usize, id: &str) -> Option<bool> {
        self.done(at, Method::POST, &format!("/v1/approvals/{id}/withdraw"), agent, None).await
    }

    pub(super) async fn revoke(&self, at: usize, agent: usize, id: &str) -> Option<bool> {
        self.done(at, Method::POST, &format!("/v1/approvals/{id}/revoke"), agent, Some(json!({}))).await
    }

    pub(super) async fn release(&self, at: usize, agent: usize, id: &str) -> Option<bool> {
        self.done(at, Method::DELETE, &format!("/v1/reservations/{id}"), agent, None).await
    }

    /// Whether the hook was granted; `None`: no clear answer.
    pub(super) async fn hook(&self, at: usize, agent: usize, event: &str, id: &str) -> Option<bool> {
        let told = self.at[at].deliver(&self.at[at].hook(agent, event, Some(id))).await;
        if disturbed(&told) { None } else { Some(matches!(told, Told::Granted(_))) }
    }

    /// The approval's state, and how often it was used.
    pub(super) async fn state(&self, at: usize, agent: usize, id: &str) -> (String, u64) {
        let path = format!("/v1/approvals/{id}");
        let (status, said) = self.settled(at, Method::GET, &path, agent, None).await;
        assert_eq!(status, StatusCode::OK, "{said}");
        (text(&said["state"]), said["uses"].as_u64().unwrap())
    }

    /// The agent's present or last reservation: its id and state.
    pub(super) async fn reservation(&self, at: usize, agent: usize) -> (String, String) {
        let (status, said) = self.settled(at, Method::GET, "/v1/reservations", agent, None).await;
        assert_eq!(status, StatusCode::OK, "{said}");
        (text(&said["items"][0]["id"]), text(&said["items"][0]["state"]))
    }

    async fn done(&self, at: usize, method: Method, path: &str, who: usize, body: Option<Value>) -> Option<bool> {
        let (status, said) = self.at[at].call(method, path, who, body).await?;
        match status.as_u16() {
            200 | 204 => Some(true),
            409 => Some(false),
            503 => None,
            _ => panic!("{path}: {status} {said}"),
        }
    }

    async fn settled(
        &self,
        at: usize,
        method: Method,
        path: &str,
        who: usize,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            match self.at[at].call(method.clone(), path, who, body.clone()).await {
                None | Some((StatusCode::SERVICE_UNAVAILABLE, _)) => tokio::task::yield_now().await,
                Some(answered) => return answered,
            }
        }
        panic!("{path}: no answer in {DEADLINE:?}")
    }
}

fn token(world: &World, name: &str) -> String {
    world.token(&format!("00u{name}"), &format!("{name}@example.test"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
