//! The chapters of the reservation: a shared account is one person's at a time, whichever process he asks.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{OWN_STATE, decode},
    pair::{Actor, Pair, text, time_of},
    people::{ANN, BEN, TILL},
    say::{brief, chapter, compare, demand, say},
    site::Site,
};

const RESERVATIONS: &str = "/v1/reservations";
const ACCOUNT: &str = "00u7till";
/// How often both ask at once.
const ROUNDS: u32 = 10;

/// Tells it. The error names the first step that didn't do what it says.
pub(super) async fn tell(pair: &Pair) -> Result<(), String> {
    let (ann, ben) = (pair.actor("Ann", ANN).await?, pair.actor("Ben", BEN).await?);
    let held = held(pair, &ann, &ben).await?;
    logged_in(pair, &held).await?;
    next(pair, &ann, &ben).await?;
    acted_for(pair, &ann, &ben).await?;
    raced(pair, &ann, &ben).await
}

fn wanted() -> Value {
    json!({"account": ACCOUNT})
}

/// Reserves the account: the answer, with its secret.
async fn reserve(pair: &Pair, site: &Site, who: &Actor) -> Result<Value, String> {
    let held = pair.ask(site, who, (Method::POST, RESERVATIONS), Some(wanted()), 201).await?;
    let (id, until) = (brief(text(&held, "id")?), time_of(&held["expires_at"])?);
    say(&format!("        {id}, {} until {until}, and a secret, told once", text(&held, "state")?));
    demand(held["state"] == "HELD", "the account is held")?;
    Ok(held)
}

/// Somebody else has it, and who asks is told who, and until when.
async fn refused(pair: &Pair, site: &Site, who: &Actor, path: &str, body: Option<Value>) -> Result<(), String> {
    let problem = pair.ask(site, who, (Method::POST, path), body, 409).await?;
    let (code, holder) = (text(&problem, "code")?, text(&problem, "holder")?);
    say(&format!("        {code}: {holder} has it until {}", time_of(&problem["until"])?));
    demand(code == "reserved" && holder == ANN, "Ann's reservation is told to whoever wants the account")
}

/// What has become of a reservation.
async fn state_is(pair: &Pair, site: &Site, who: &Actor, held: &Value, state: &str) -> Result<(), String> {
    let path = format!("{RESERVATIONS}/{}", text(held, "id")?);
    let found = pair.ask(site, who, (Method::GET, &path), None, 200).await?;
    say(&format!("        state {}", text(&found, "state")?));
    demand(found["state"] == state, &format!("the reservation is {state}"))
}

async fn held(pair: &Pair, ann: &Actor, ben: &Actor) -> Result<Value, String> {
    chapter(&format!("HOLD   One person at a time: Ann reserves the till at A, Ben asks at {}", pair.b().name));
    let held = reserve(pair, pair.a(), ann).await?;
    refused(pair, pair.b(), ben, RESERVATIONS, Some(wanted())).await?;
    Ok(held)
}

/// Ann signs in as the account itself.
async fn logged_in(pair: &Pair, held: &Value) -> Result<(), String> {
    chapter("LOGIN  Ann signs in as the till; the secret is the login's `state`");
    let plain = pair.sign_in(TILL, OWN_STATE).await?;
    let secret = text(held, "secret")?;
    let hers = pair.sign_in(TILL, secret).await?;
    pair.last_hook()?;
    let (before, after) = (decode(&plain.access)?, decode(&hers.access)?);
    say("   The till's access token, before: signed in without a reservation; after: with Ann's");
    compare(&before, &after);
    demand(!before.contains_key("reserved_by"), "without a reservation nobody is named")?;
    demand(after.get("reserved_by").is_some_and(|who| who == ANN), "the token says that it is Ann")?;
    say("   The secret again:");
    pair.refused(pair.sign_in(TILL, secret).await, "reservation-required")
}

async fn next(pair: &Pair, ann: &Actor, ben: &Actor) -> Result<(), String> {
    chapter("NEXT   One token was one use: now Ben gets it, and gives it back");
    let held = reserve(pair, pair.b(), ben).await?;
    let list = pair.ask(pair.a(), ann, (Method::GET, "/v1/reservations/accounts"), None, 200).await?;
    let account = &list["items"][0];
    let (login, state, holder) = (text(account, "login")?, text(account, "state")?, text(account, "holder")?);
    say(&format!("        {login}: {state}, by {holder}"));
    demand(state == "HELD" && holder == BEN, "Ann sees at A who has it")?;
    let path = format!("{RESERVATIONS}/{}", text(&held, "id")?);
    pair.ask(pair.b(), ben, (Method::DELETE, &path), None, 204).await?;
    state_is(pair, pair.b(), ben, &held, "RELEASED").await
}

/// The other way: Ann stays Ann, and acts on the account's behalf.
async fn acted_for(pair: &Pair, ann: &Actor, ben: &Actor) -> Result<(), String> {
    chapter("ACT    Ann acts on behalf of the till: beginning the delegation reserves it");
    let till = pair.actor("The till's owner", TILL).await?;
    for agent in [ANN, BEN] {
        pair.ask(pair.b(), &till, (Method::POST, "/v1/grants"), Some(json!({"agent": agent})), 201).await?;
    }
    let (path, body) = ("/v1/delegations", json!({"delegator": TILL}));
    let begun = pair.ask(pair.a(), ann, (Method::POST, path), Some(body.clone()), 201).await?;
    let id = text(&begun, "delegationid")?;
    refused(pair, pair.b(), ben, path, Some(body)).await?;
    pair.acts(ann, id, TILL).await?;
    let mine = pair.ask(pair.a(), ann, (Method::GET, RESERVATIONS), None, 200).await?;
    let state = text(&mine["items"][0], "state")?;
    say(&format!("        her last reservation: {state}"));
    demand(state == "CONSUMED", "the token used the reservation up")
}

/// Both at once, again and again.
async fn raced(pair: &Pair, ann: &Actor, ben: &Actor) -> Result<(), String> {
    let (a, b) = (pair.a(), pair.b());
    chapter(&format!("RACE   Ann at {}, Ben at {}, at once", a.name, b.name));
    let (mut by_ann, mut by_ben) = (0_u32, 0_u32);
    for round in 0..ROUNDS {
        let ask = |site, who| pair.call(site, who, Method::POST, RESERVATIONS, Some(wanted()));
        // Each of them is first every other time.
        let (hers, his) = if round % 2 == 0 {
            tokio::try_join!(ask(a, ann), ask(b, ben))?
        } else {
            let (his, hers) = tokio::try_join!(ask(b, ben), ask(a, ann))?;
            (hers, his)
        };
        let (site, winner, won, lost) = match (hers.0, his.0) {
            (201, 409) => (a, ann, hers.1, his.1),
            (409, 201) => (b, ben, his.1, hers.1),
            other => return Err(format!("round {round}: both were answered {other:?}")),
        };
        demand(lost["code"] == "reserved", "the other one is told that it is reserved")?;
        let counted = if std::ptr::eq(winner, ann) { &mut by_ann } else { &mut by_ben };
        *counted += 1;
        let path = format!("{RESERVATIONS}/{}", text(&won, "id")?);
        let (status, answer) = pair.call(site, winner, Method::DELETE, &path, None).await?;
        demand(status == 204, &format!("the winner gives it back: {answer}"))?;
    }
    say(&format!("   {ROUNDS} rounds: Ann was answered 201 in {by_ann} of them, Ben in {by_ben}."));
    say("   The other one was answered 409 `reserved` each time; never both, never none.");
    Ok(())
}
