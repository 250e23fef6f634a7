//! Hooks whose delegation takes an approval and a reservation, beside those whose delegation takes a grant alone: one
//! process, in turns.
//!
//! A reservation is exclusive and good for one token, and a tenant has few shared accounts. So batches are small, one
//! hook for each account, and each is prepared through the API as a client would: ask, be approved, begin.

use std::{fs, time::Duration};

use behalf::{adapters::http_client, ports::clock::Clock as _};
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    data::{self, Fault},
    delegated::{CONNECTIONS, GRANTED},
    generator::{Round, Work, drive, request},
    hook::hook,
    report::{cpu_ratio, latency, line, ratio},
    scenarios::{HOOK, Run},
    server::{SECRET, Server},
};

/// Users who act, each for an account that is shared and for one that isn't.
const AGENTS: usize = 200;
/// Batches of each sort in a round.
const BATCHES: usize = 25;
const BOSS: &str = "00uboss";

/// What a delegation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Grant,
    All,
}

impl Takes {
    fn delegator(self, agent: usize) -> String {
        match self {
            Self::Grant => format!("00uplain{agent:03}"),
            Self::All => format!("00ushared{agent:03}"),
        }
    }
}

/// Prepares delegations through the API.
struct Clients<'r> {
    run: &'r Run<'r>,
    http: Client,
    at: String,
    agents: Vec<String>,
    boss: String,
}

impl Run<'_> {
    pub(crate) async fn prepared(&self) -> Result<(), Fault> {
        let folder = self.folder()?;
        fs::write(folder.path().join("users.yaml"), users())?;
        fs::write(folder.path().join("behalf.toml"), configuration())?;
        let variables =
            [("BEHALF_STORE", "embedded:data"), ("BEHALF_RATE_LIMIT", "1000000"), ("BEHALF_MAX_PENDING", "100")];
        let server = Server::behalf_on(&self.args.behalf, folder.path(), self.issuer.issuer(), &variables).await?;
        let clients = Clients::new(self, &server).await?;
        let (mut plain, mut all) = (Vec::new(), Vec::new());
        for round in 0..=self.args.rounds {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for batch in 0..BATCHES {
                let number = round * BATCHES + batch;
                let (one, two) = (clients.batch(Takes::All, number).await?, clients.batch(Takes::Grant, number).await?);
                // What was written by that is sealed meanwhile.
                sleep(Duration::from_millis(200)).await;
                if batch % 2 == 0 {
                    ours.push(consume(&server, one).await?);
                    theirs.push(consume(&server, two).await?);
                } else {
                    theirs.push(consume(&server, two).await?);
                    ours.push(consume(&server, one).await?);
                }
            }
            // The first round warms up.
            if round > 0 {
                all.push(Round::of(ours));
                plain.push(Round::of(theirs));
            }
        }
        println!(
            "hooks with approval and reservation, {} a round in batches of {AGENTS}, {CONNECTIONS} connections",
            { AGENTS * BATCHES }
        );
        line("with both", &all);
        line("grant alone", &plain);
        println!(
            "  ratio to the grant alone {:.2}  [>= 0.85]; by processor time {:.2}; p99 {:.2} ms beside {:.2} ms\n",
            ratio(&all, &plain),
            cpu_ratio(&all, &plain),
            latency(&all, 99),
            latency(&plain, 99)
        );
        Ok(())
    }

    fn token(&self, id: &str) -> Result<String, Fault> {
        let now = behalf::adapters::system::SystemClock.now().as_second();
        let claims = json!({
            "iss": self.issuer.issuer(), "aud": "api://default", "iat": now, "exp": now + 24 * 3600,
            "cid": data::CLIENT, "uid": id, "sub": format!("{id}@example.test"),
            "scp": ["openid", "behalf", "payments.read"],
        });
        Ok(self.issuer.sign(claims.as_object().ok_or("no claims")?)?)
    }
}

impl<'r> Clients<'r> {
    /// With everybody's grants.
    async fn new(run: &'r Run<'r>, server: &Server) -> Result<Self, Fault> {
        let agents = (0..AGENTS).map(|n| run.token(&data::agent(n))).collect::<Result<_, Fault>>()?;
        let (http, boss) = (http_client::build(None)?, run.token(BOSS)?);
        let clients = Self { run, http, at: format!("http://{}", server.address), agents, boss };
        for agent in 0..AGENTS {
            for takes in [Takes::Grant, Takes::All] {
                let token = run.token(&takes.delegator(agent))?;
                clients.call("/v1/grants", &token, json!({"agent": data::agent(agent)}), 201).await?;
            }
        }
        Ok(clients)
    }

    /// A hook for each agent's delegation.
    async fn batch(&self, takes: Takes, number: usize) -> Result<Vec<Vec<u8>>, Fault> {
        let one = |agent| async move {
            let id = self.begun(takes, agent).await?;
            let event = format!("{takes:?}-{number}-{agent}");
            let body = hook(self.run.issuer.issuer(), &data::agent(agent), &event, Some(&id));
            Ok::<_, Fault>(request(HOOK, SECRET, &body))
        };
        futures_util::stream::iter(0..AGENTS).map(one).buffer_unordered(CONNECTIONS).try_collect().await
    }

    async fn begun(&self, takes: Takes, agent: usize) -> Result<String, Fault> {
        let (token, body) = (&self.agents[agent], json!({"delegator": takes.delegator(agent)}));
        if takes == Takes::All {
            let waits = self.call("/v1/delegations", token, body.clone(), 202).await?;
            let id = waits["approval"]["id"].as_str().ok_or("no approval")?;
            let vote = json!({"decision": "approve", "version": 1});
            self.call(&format!("/v1/approvals/{id}/votes"), &self.boss, vote, 200).await?;
        }
        let begun = self.call("/v1/delegations", token, body, 201).await?;
        Ok(begun["delegationid"].as_str().ok_or("no id")?.to_owned())
    }

    async fn call(&self, path: &str, token: &str, body: Value, expected: u16) -> Result<Value, Fault> {
        let call = self.http.request(Method::POST, format!("{}{path}", self.at)).bearer_auth(token).json(&body);
        let answer = call.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if status.as_u16() != expected {
            return Err(format!("{path}: {status} {text}").into());
        }
        Ok(serde_json::from_str(&text)?)
    }
}

async fn consume(server: &Server, requests: Vec<Vec<u8>>) -> Result<Round, Fault> {
    drive(server.address, &server.pid, CONNECTIONS, Work::new(requests, "HTTP/1.1 200", GRANTED, None)).await
}

fn users() -> String {
    let person = |id: String, groups: &[&str]| {
        json!({"id": id, "login": format!("{id}@example.test"), "status": "active", "groups": groups,
               "profile": {"department": "Operations", "email": format!("{id}@example.test")}})
    };
    let mut users = vec![person(BOSS.to_owned(), &[])];
    for agent in 0..AGENTS {
        users.push(person(data::agent(agent), &["dbas"]));
        users.push(person(Takes::Grant.delegator(agent), &[]));
        users.push(person(Takes::All.delegator(agent), &["shared"]));
    }
    json!({ "users": users }).to_string()
}

fn configuration() -> String {
    let mut text = format!(
        "[[tenants.default.rules]]\nname = \"shared\"\nwhen = {{ delegator_groups = [\"shared\"] }}\n\
         stages = [\"approval\", \"reservation\"]\n\
         approval = {{ type = \"approve\", approvers = [\"user:{BOSS}\"] }}\n"
    );
    for agent in 0..AGENTS {
        text += "[[tenants.default.shared_accounts]]\n";
        text += &format!("id = \"{}\"\ngroup = \"dbas\"\n", Takes::All.delegator(agent));
    }
    text
}
