//! Two behalfs as processes of their own over one Redis. Without a Redis there is one, which does both parts.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Method};
use serde_json::Value;

use super::{
    authorization_server::{DevServer, HookOutcome},
    backstage::Backstage,
    client::{self, Events, OWN_STATE, Session, decode},
    people,
    redis::{self, Redis},
    say::{brief, chapter, compare, demand, say, short},
    set::hook_at,
    site::Site,
};
use crate::adapters::{audit::signing::SigningKey, http_client, system::OsEntropy};

/// What both processes read in `behalf.toml`.
const RULES: &str = r#"[[tenants.default.rules]]
name = "a signature for Bob"
when = { delegator_groups = ["00g1directors"] }
stages = ["approval"]
approval = { type = "sign_and_approve", signatures = ["jws"], approvers = ["user:00u5dora"], reason = "required" }

[[tenants.default.rules]]
name = "one at a time"
when = { delegator_groups = ["00g3shared"] }
stages = ["reservation"]

[[tenants.default.shared_accounts]]
id = "00u7till"
group = "00g2clerks"
show_holder = true
"#;

/// How long an answer may take, its end included.
const PATIENCE: Duration = Duration::from_mins(1);

/// Somebody with a browser.
pub(super) struct Actor {
    name: &'static str,
    pub(super) session: Session,
}

/// Everything that runs. What is first here is dropped first.
pub(super) struct Pair {
    first: Site,
    second: Option<Site>,
    #[expect(dead_code, reason = "it runs as long as this is held")]
    redis: Option<Redis>,
    issuer: DevServer,
    http: Client,
}

impl Pair {
    /// Starts it, and says what runs.
    pub(super) async fn build(backstage: &Backstage, random: &str) -> Result<Self, String> {
        let issuer = people::issuer().map_err(|error| error.to_string())?;
        backstage.write("behalf.toml", RULES)?;
        SigningKey::load_or_make(backstage.folder(), &OsEntropy).map_err(|error| error.to_string())?;
        let redis = match redis::start(backstage, random).await {
            Ok(redis) => {
                chapter("PAIR   Two processes of behalf over one Redis, and rules");
                let (version, id, address) = (&redis.version, redis.child.id(), &redis.address);
                say(&format!("   {version}, process {id}, on {address}: in memory, and for this demo alone"));
                Some(redis)
            }
            Err(why) => {
                chapter("PAIR   A process of behalf, and rules");
                say(&format!("   A second process is left out ({why}): all is at A, with its store in memory."));
                None
            }
        };
        let secret = format!("Demo pair {random}");
        let launch = async |name| {
            let store = redis.as_ref().map(|redis| (redis.address.as_str(), random));
            Site::start(name, &issuer, &secret, store, backstage).await
        };
        let (first, second) = match &redis {
            Some(_) => {
                let (first, second) = tokio::try_join!(launch('A'), launch('B'))?;
                (first, Some(second))
            }
            None => (launch('A').await?, None),
        };
        // A stream of events is one answer.
        let http = http_client::build_with(None, |builder| builder.timeout(PATIENCE));
        let http = http.map_err(|error| error.to_string())?;
        let pair = Self { first, second, redis, issuer, http };
        pair.issuer.set_hook(Some(hook_at(&pair.b().url, secret)));
        pair.introduce();
        Ok(pair)
    }

    fn introduce(&self) {
        for site in [Some(&self.first), self.second.as_ref()].into_iter().flatten() {
            say(&format!("   {}: behalf serve, process {}, on {}", site.name, site.child.id(), site.url));
        }
        say(&format!("   The authorization server sends its hooks to {}. In behalf.toml stands:", self.b().name));
        for line in RULES.lines() {
            say(format!("      {line}").trim_end());
        }
    }

    /// Where Ann is served.
    pub(super) fn a(&self) -> &Site {
        &self.first
    }

    /// Where the others are served, and the hooks.
    pub(super) fn b(&self) -> &Site {
        self.second.as_ref().unwrap_or(&self.first)
    }

    /// Signs somebody in.
    pub(super) async fn actor(&self, name: &'static str, login: &str) -> Result<Actor, String> {
        Ok(Actor { name, session: self.sign_in(login, OWN_STATE).await? })
    }

    /// Signs a user in with this `state`.
    pub(super) async fn sign_in(&self, login: &str, state: &str) -> Result<Session, String> {
        client::sign_in(&self.http, self.issuer.issuer(), login, state, &OsEntropy).await
    }

    /// Refreshes a session's tokens.
    pub(super) async fn refresh(&self, old: &Session, id: Option<&str>) -> Result<Session, String> {
        client::refresh(&self.http, self.issuer.issuer(), old, id).await
    }

    /// Calls behalf, and says nothing.
    pub(super) async fn call(
        &self,
        site: &Site,
        who: &Actor,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), String> {
        let url = format!("{}{path}", site.url);
        let (status, answer) = client::call(&self.http, method, url, &who.session, body).await?;
        Ok((status.as_u16(), answer))
    }

    /// Calls behalf, says what was asked and what status came, and demands this one.
    pub(super) async fn ask(
        &self,
        site: &Site,
        who: &Actor,
        (method, path): (Method, &str),
        body: Option<Value>,
        expected: u16,
    ) -> Result<Value, String> {
        let sent = body.as_ref().map(|body| format!(" {}", short(body, 66))).unwrap_or_default();
        let (status, answer) = self.call(site, who, method.clone(), path, body).await?;
        say(&format!("   {}  {}: {method} {}{sent} -> {status}", site.name, who.name, brief(path)));
        if status == expected {
            return Ok(answer);
        }
        Err(format!("{method} {path} answered {status} instead of {expected}: {answer}"))
    }

    /// A document to the byte.
    pub(super) async fn document(&self, site: &Site, who: &Actor, path: &str) -> Result<String, String> {
        let text = client::text(&self.http, &format!("{}{path}", site.url), &who.session).await?;
        say(&format!("   {}  {}: GET {} -> 200, {} bytes", site.name, who.name, brief(path), text.len()));
        Ok(text)
    }

    /// Listens to a stream of events.
    pub(super) async fn listen(&self, site: &Site, who: &Actor, path: &str) -> Result<Events, String> {
        let events = Events::open(&self.http, &format!("{}{path}", site.url), &who.session).await?;
        say(&format!("   {}  {}: GET {} -> a stream", site.name, who.name, brief(path)));
        Ok(events)
    }

    /// Demands that the last hook's patch was applied, and says who answered it.
    pub(super) fn last_hook(&self) -> Result<(), String> {
        let call = self.issuer.hook_log().pop().ok_or("no hook was called")?;
        demand(call.outcome == HookOutcome::Applied, &format!("the hook's patch is applied, not {:?}", call.outcome))?;
        let status = call.status.unwrap_or_default();
        say(&format!("   {}  POST /hooks/okta -> {status}; the patch is applied", self.b().name));
        Ok(())
    }

    /// Refreshes Ann's token with the id, and demands that it becomes one for acting on this login's behalf.
    pub(super) async fn acts(&self, ann: &Actor, id: &str, login: &str) -> Result<Session, String> {
        say(&format!("        delegationid {}", brief(id)));
        let after = self.refresh(&ann.session, Some(id)).await?;
        self.last_hook()?;
        let (before, now) = (decode(&ann.session.access)?, decode(&after.access)?);
        say("   Ann's access token:");
        compare(&before, &now);
        demand(now.get("on_behalf_sub").is_some_and(|sub| sub == login), &format!("the token names {login}"))?;
        demand(now.get("uid").is_some_and(|uid| uid == "00u1ann"), "the token is still Ann's")?;
        Ok(after)
    }

    /// Demands that no token comes, and that the app is told this public code.
    pub(super) fn refused(&self, minted: Result<Session, String>, code: &str) -> Result<(), String> {
        match minted {
            Ok(_) => Err(format!("a token was minted where `{code}` was due")),
            Err(told) => {
                say(&format!("   {}  no token; the app is told: {told}", self.b().name));
                demand(told.contains(&format!("({code})")), &format!("the refusal is `{code}`"))
            }
        }
    }
}

/// The time of day of a timestamp in an answer.
pub(super) fn time_of(value: &Value) -> Result<String, String> {
    let at: Timestamp = value.as_str().and_then(|text| text.parse().ok()).ok_or(format!("{value} is no time"))?;
    Ok(at.strftime("%H:%M:%S UTC").to_string())
}

/// A text in an answer.
pub(super) fn text<'a>(answer: &'a Value, member: &str) -> Result<&'a str, String> {
    answer[member].as_str().ok_or_else(|| format!("no {member} in {answer}"))
}
