//! The story itself: delegation granted and exercised, then everything that must not work.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    client::{Session, decode},
    people::{ANN, BOB, CAROL, EVE},
    say::{chapter, claims, compare, demand, say},
    sealed,
    set::Set,
};

/// Tells it. The error names the first step that didn't do what it says.
pub(super) async fn tell(set: &Set) -> Result<(), String> {
    let cast = Cast {
        ann: set.sign_in(ANN).await?,
        bob: set.sign_in(BOB).await?,
        eve: set.sign_in(EVE).await?,
        carol: set.sign_in(CAROL).await?,
    };
    granted(set, &cast).await?;
    let (ann, used) = exercised(set, &cast).await?;
    let cast = Cast { ann, ..cast };
    refused_again(set, &cast, &used).await?;
    refused_to_another(set, &cast).await?;
    refused_without_grant(set, &cast).await?;
    refused_late(set, &cast).await?;
    refused_by_lock(set, &cast).await?;
    audited(set, &cast).await?;
    sealed::told(set).await
}

struct Cast {
    ann: Session,
    bob: Session,
    eve: Session,
    carol: Session,
}

async fn granted(set: &Set, cast: &Cast) -> Result<(), String> {
    chapter("S1/S2  Bob lets Ann act for him");
    let body = json!({"agent": "ann@example.test"});
    let agent = set.call(Method::POST, "/v1/grants", &cast.bob, Some(body), StatusCode::CREATED).await?;
    say(&format!("   Bob: POST /v1/grants {{agent: ann@example.test}} -> 201 {agent}"));
    chapter("A1     Ann is signed in; her access token (RS256, decoded)");
    claims(&decode(&cast.ann.access)?);
    chapter("A2     For whom may Ann act?");
    let list = set.call(Method::GET, "/v1/grants/delegators", &cast.ann, None, StatusCode::OK).await?;
    say(&format!("   Ann: GET /v1/grants/delegators -> {}", list["items"]));
    demand(list["items"][0]["login"] == BOB, "Bob is in Ann's list")
}

async fn exercised(set: &Set, cast: &Cast) -> Result<(Session, String), String> {
    chapter("A3/A4  Ann's app begins a delegation");
    let id = begin(set, &cast.ann).await?;
    say(&format!("   Ann: POST /v1/delegations {{delegator: {BOB}}} -> 201 {}", shown(&id)));
    chapter("A5/A6  The app refreshes with the id; the hook fires");
    let after = set.refresh(&cast.ann, Some(&id)).await?;
    let (before, now) = (decode(&cast.ann.access)?, decode(&after.access)?);
    say("   POST …/v1/token?delegationid=dlg_…  grant_type=refresh_token");
    say("   Ann's access token:");
    compare(&before, &now);
    is_delegated(&now)?;
    say("   The next refresh, without an id, gives a plain token again:");
    let plain = set.refresh(&after, None).await?;
    let plain_claims = decode(&plain.access)?;
    compare(&now, &plain_claims);
    demand(!plain_claims.contains_key("on_behalf"), "a refresh without an id is not delegated")?;
    Ok((plain, id))
}

fn is_delegated(token: &Map<String, Value>) -> Result<(), String> {
    let says = |claim: &str, value: &str| token.get(claim).and_then(Value::as_str) == Some(value);
    demand(says("on_behalf", "True"), "the token says on_behalf")?;
    demand(says("on_behalf_sub", BOB), "the token names Bob")?;
    demand(says("can_delegate", "False"), "the token can't be passed on")?;
    demand(says("uid", "00u1ann"), "the token is still Ann's")?;
    demand(says("costCenter", "4711"), "the token has Bob's cost center")
}

async fn refused_again(set: &Set, cast: &Cast, used: &str) -> Result<(), String> {
    chapter("NO     The same id again");
    refused(set, &cast.ann, used, "delegation-not-usable").await
}

async fn refused_to_another(set: &Set, cast: &Cast) -> Result<(), String> {
    chapter("NO     Ann's id in Eve's hands");
    let id = begin(set, &cast.ann).await?;
    refused(set, &cast.eve, &id, "delegation-not-usable").await?;
    say("   (the app isn't told why; the administrator is)");
    say("   Eve used nothing up, and is told no more than anybody who guesses.");
    let path = "/v1/delegations";
    let body = Some(json!({"delegator": BOB}));
    let problem = set.call(Method::POST, path, &cast.eve, body, StatusCode::FORBIDDEN).await?;
    say(&format!("   Eve: POST /v1/delegations {{delegator: {BOB}}} -> 403 {}", problem["code"]));
    set.call(Method::DELETE, &format!("{path}/{id}"), &cast.ann, None, StatusCode::NO_CONTENT).await?;
    say("   Ann: DELETE /v1/delegations/dlg_… -> 204, she doesn't need it any more");
    Ok(())
}

async fn refused_without_grant(set: &Set, cast: &Cast) -> Result<(), String> {
    chapter("NO     Bob takes the grant back between initiation and refresh");
    let id = begin(set, &cast.ann).await?;
    set.call(Method::DELETE, "/v1/grants/00u1ann", &cast.bob, None, StatusCode::NO_CONTENT).await?;
    say("   Bob: DELETE /v1/grants/00u1ann -> 204");
    refused(set, &cast.ann, &id, "not-delegated").await?;
    let body = json!({"agent": "00u1ann"});
    set.call(Method::POST, "/v1/grants", &cast.bob, Some(body), StatusCode::CREATED).await?;
    say("   Bob grants it again.");
    Ok(())
}

async fn refused_late(set: &Set, cast: &Cast) -> Result<(), String> {
    chapter("NO     Too late");
    let id = begin(set, &cast.ann).await?;
    set.jump_ahead(SignedDuration::from_secs(61));
    say("   (the demo lets the store's clock jump ahead by 61 s)");
    refused(set, &cast.ann, &id, "delegation-not-usable").await
}

async fn refused_by_lock(set: &Set, cast: &Cast) -> Result<(), String> {
    chapter("NO     Bob locks his account against delegation");
    let id = begin(set, &cast.ann).await?;
    let body = json!({"reason": "on holiday"});
    set.call(Method::POST, "/v1/locks", &cast.bob, Some(body), StatusCode::CREATED).await?;
    say("   Bob: POST /v1/locks {reason: on holiday} -> 201");
    refused(set, &cast.ann, &id, "locked").await?;
    let body = json!({"delegator": BOB});
    let problem = set.call(Method::POST, "/v1/delegations", &cast.ann, Some(body), StatusCode::LOCKED).await?;
    say(&format!("   Ann: POST /v1/delegations -> 423 {}", problem["code"]));
    set.call(Method::DELETE, "/v1/locks/00u2bob", &cast.bob, None, StatusCode::NO_CONTENT).await?;
    say("   Bob lifts it, and the id that was refused still works: a refusal uses nothing up.");
    let after = set.refresh(&cast.ann, Some(&id)).await?;
    is_delegated(&decode(&after.access)?)
}

async fn audited(set: &Set, cast: &Cast) -> Result<(), String> {
    chapter("AUDIT  What Carol, the administrator, reads");
    let page = set.call(Method::GET, "/v1/audit?limit=200", &cast.carol, None, StatusCode::OK).await?;
    let events = page["items"].as_array().cloned().unwrap_or_default();
    let text = |event: &Value, path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    say(&format!(
        "   {:>3} {:<6} {:<24} {:<8} {:<20} {:<18} on behalf of",
        "seq", "code", "type", "result", "reason", "who"
    ));
    for event in &events {
        let (actor, for_whom) = (text(event, "/actor/login"), text(event, "/on_behalf_of/login"));
        let who = if actor.is_empty() { text(event, "/actor/id") } else { actor };
        let line = format!(
            "   {:>3} {:<6} {:<24} {:<8} {:<20} {:<18} {for_whom}",
            event["seq"].as_u64().unwrap_or_default(),
            text(event, "/code"),
            text(event, "/type"),
            text(event, "/outcome/result"),
            text(event, "/outcome/reason"),
            who,
        );
        say(line.trim_end());
    }
    let seen = |code: &str, reason: &str| {
        events.iter().any(|e| text(e, "/code") == code && text(e, "/outcome/reason") == reason)
    };
    for reason in ["already-used", "foreign-agent", "grant-gone", "expired", "locked"] {
        demand(seen("DA1001", reason), &format!("the trail names the refusal `{reason}` exactly"))?;
    }
    demand(seen("DA1000", ""), "the trail has the granted decision")?;
    let numbers: Vec<u64> = events.iter().filter_map(|e| e["seq"].as_u64()).collect();
    demand(numbers.iter().zip(1..).all(|(seq, n)| *seq == n), "the trail is numbered without a gap")
}

async fn begin(set: &Set, who: &Session) -> Result<String, String> {
    let body = json!({"delegator": BOB, "reason": "invoice run"});
    let begun = set.call(Method::POST, "/v1/delegations", who, Some(body), StatusCode::CREATED).await?;
    begun["delegationid"].as_str().map(str::to_owned).ok_or("no delegationid came back".to_owned())
}

/// Refreshes with the id and demands that the app is told this public code.
async fn refused(set: &Set, who: &Session, id: &str, code: &str) -> Result<(), String> {
    match set.refresh(who, Some(id)).await {
        Ok(_) => Err(format!("a token was minted where `{code}` was due")),
        Err(told) => {
            say(&format!("   refresh with {} -> no token; the app is told: {told}", shown(id)));
            demand(told.contains(&format!("({code})")), &format!("the refusal is `{code}`"))
        }
    }
}

/// The end of an id: ids of one moment begin alike.
fn shown(id: &str) -> String {
    let skipped = id.chars().count().saturating_sub(6);
    format!("dlg_…{}", id.chars().skip(skipped).collect::<String>())
}
