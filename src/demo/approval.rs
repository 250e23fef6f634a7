//! The chapters of the approval: asked for at one process, signed at the other, used once, and proved.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    backstage::Backstage,
    client::Events,
    evidence,
    pair::{Actor, Pair, text, time_of},
    people::{ANN, BOB, DORA},
    say::{brief, chapter, demand, folded, say},
};
use crate::{
    adapters::{audit::signing::SigningKey, system::OsEntropy},
    domain::{
        approval::jwk::Jwk,
        chain::Digest,
        jws::{self, Header},
    },
    ports::signer::Signer as _,
};

const DELEGATIONS: &str = "/v1/delegations";

/// Tells it. The error names the first step that didn't do what it says.
pub(super) async fn tell(pair: &Pair, backstage: &Backstage) -> Result<(), String> {
    let ann = pair.actor("Ann", ANN).await?;
    let bob = pair.actor("Bob", BOB).await?;
    let dora = pair.actor("Dora", DORA).await?;
    let grant = Some(json!({"agent": ANN}));
    pair.ask(pair.b(), &bob, (Method::POST, "/v1/grants"), grant, 201).await?;
    let mut asked = asked(pair, &ann).await?;
    let kid = signed(pair, &dora, &asked).await?;
    told(pair, &mut asked.events).await?;
    used(pair, &ann, &asked.id).await?;
    evidence::tell(pair, backstage, &ann, &asked.id, &format!("00u5dora={kid}")).await
}

/// What Ann's app knows of her request.
struct Asked {
    id: String,
    digest: String,
    events: Events,
}

fn request() -> Value {
    json!({"delegator": BOB, "reason": "invoice run"})
}

async fn asked(pair: &Pair, ann: &Actor) -> Result<Asked, String> {
    chapter("ASK    Ann asks at A, and is told to wait");
    let answer = pair.ask(pair.a(), ann, (Method::POST, DELEGATIONS), Some(request()), 202).await?;
    let approval = &answer["approval"];
    let (id, digest) = (text(approval, "id")?.to_owned(), text(approval, "digest")?.to_owned());
    say(&format!("        approval {}, by the rule \"{}\"", brief(&id), text(approval, "rule")?));
    say(&format!(
        "        state    {}, to be decided before {}",
        text(approval, "state")?,
        time_of(&approval["decide_by"])?
    ));
    say(&format!("        digest   {digest}"));
    demand(approval["state"] == "PENDING", "the approval waits")?;
    let mut events = pair.listen(pair.a(), ann, text(&answer["wait"], "events")?).await?;
    let first = events.next().await?;
    say(&format!("        its first event: revision {} {}", first["revision"], first["state"]));
    demand(first["state"] == "PENDING", "the stream begins with what is known")?;
    Ok(Asked { id, digest, events })
}

/// Dora decides; gives the name of her key.
async fn signed(pair: &Pair, dora: &Actor, asked: &Asked) -> Result<String, String> {
    chapter(&format!("SIGN   Dora, the approver, reads the request at {} and signs it", pair.b().name));
    let key = SigningKey::ephemeral(&OsEntropy).map_err(|error| error.to_string())?;
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": key.public_key().to_string()});
    let own_kid = Jwk::parse(&jwk).map_err(|error| error.to_string())?.kid().to_string();
    let body = Some(json!({"name": "laptop", "jwk": jwk}));
    let registered = pair.ask(pair.b(), dora, (Method::POST, "/v1/me/keys"), body, 201).await?;
    let kid = text(&registered, "kid")?.to_owned();
    say(&format!("        key {kid}, {}, {}", text(&registered, "alg")?, text(&registered, "state")?));
    demand(kid == own_kid, "the key's name is its thumbprint (RFC 7638)")?;

    let waiting = pair.ask(pair.b(), dora, (Method::GET, "/v1/approvals?role=approver"), None, 200).await?;
    let ids: Vec<_> = waiting["items"].as_array().into_iter().flatten().map(|item| item["id"].clone()).collect();
    say(&format!(
        "        awaits her vote: {}",
        ids.iter().map(|id| brief(&id.to_string())).collect::<Vec<_>>().join(", ")
    ));
    demand(ids == [asked.id.as_str()], "Ann's request, and no other, awaits Dora's vote at B")?;

    let path = format!("/v1/approvals/{}", asked.id);
    let body = Some(json!({"decision": "approve"}));
    let challenge = pair.ask(pair.b(), dora, (Method::POST, &format!("{path}/challenges")), body, 201).await?;
    read(&challenge, &asked.digest)?;
    let header = Header { alg: "EdDSA".to_owned(), kid: kid.clone(), typ: "approval+jws".to_owned() };
    let jws = jws::sign_detached(&header, text(&challenge, "statement")?, |message| key.sign(message).0);
    let jws = jws.map_err(|error| error.to_string())?;
    let signature = json!({"level": "jws", "nonce": challenge["nonce"], "jws": jws});
    let vote = Some(json!({"decision": "approve", "version": challenge["version"], "signature": signature}));
    let voted = pair.ask(pair.b(), dora, (Method::POST, &format!("{path}/votes")), vote, 200).await?;
    say(&format!("        state {}, to be used before {}", text(&voted, "state")?, time_of(&voted["use_by"])?));
    demand(voted["state"] == "APPROVED", "one signed vote is enough")?;
    Ok(kid)
}

/// What Dora sees.
fn read(challenge: &Value, digest: &str) -> Result<(), String> {
    let binding = text(challenge, "binding")?;
    say("        what she decides about, to the byte (RFC 8785):");
    for line in folded(binding, 96) {
        say(&format!("          {line}"));
    }
    let own = Digest(Sha256::digest(binding).into()).to_string();
    say(&format!("        its SHA-256, computed here: {own}"));
    demand(own == digest, "what Dora reads at B is what Ann asked for at A")
}

/// Ann's app, which has been listening at A.
async fn told(pair: &Pair, events: &mut Events) -> Result<(), String> {
    let event = events.next().await?;
    say(&format!("   {}  Ann's app hears: revision {} {}", pair.a().name, event["revision"], event["state"]));
    demand(event["state"] == "APPROVED", "who listens at A is told of the vote at B")
}

async fn used(pair: &Pair, ann: &Actor, approval: &str) -> Result<(), String> {
    chapter(&format!("USE    The same call again at A, and the hook at {}", pair.b().name));
    let begun = pair.ask(pair.a(), ann, (Method::POST, DELEGATIONS), Some(request()), 201).await?;
    let id = text(&begun, "delegationid")?;
    let after = pair.acts(ann, id, BOB).await?;
    let path = format!("/v1/approvals/{approval}");
    let spent = pair.ask(pair.a(), ann, (Method::GET, &path), None, 200).await?;
    say(&format!("        state {}, used {} time(s)", text(&spent, "state")?, spent["uses"]));
    demand(spent["state"] == "ENDED" && spent["uses"] == 1, "the approval is used up")?;

    chapter("NO     A second use");
    pair.refused(pair.refresh(&after, Some(id)).await, "delegation-not-usable")?;
    let again = pair.ask(pair.a(), ann, (Method::POST, DELEGATIONS), Some(request()), 202).await?;
    let other = text(&again["approval"], "id")?;
    say(&format!("        another approval: {}, {}", brief(other), text(&again["approval"], "state")?));
    demand(other != approval, "a new delegation takes a new approval")
}
