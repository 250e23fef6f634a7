//! The Okta dialect against golden requests.

mod auth;
mod bad_input;
mod candidates;
mod encode;
mod golden;
mod properties;
mod reserved;
mod schema;

use std::{borrow::Cow, fs, path::Path};

use behalf::{
    adapters::dialect::okta::{Okta, Settings},
    domain::{
        claims::{ClaimsPolicy, MappedClaim},
        hook::{Candidate, Decision, Effect, HookRequest, Outcome, RefusalForm, TokenFacts, TraceLine},
        ids::{Login, UserId},
        reason::Reason,
        user::{Status, User},
    },
    ports::dialect::{Dialect, HookResponse, NotAHook},
};
use serde_json::{Value, json};

/// The delegation id in the fixtures.
const ID: &str = "dlg_AaHuVl4AWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo";

/// Every request among the fixtures.
const FIXTURES: &[&str] = &[
    "authorization_code",
    "client_credentials",
    "hybrid",
    "identity_only",
    "implicit",
    "refresh",
    "refresh_after_spent_state",
    "refresh_after_spent_state_capital",
    "refresh_capital_grant",
];

fn fixture(path: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures");
    serde_json::from_str(&fs::read_to_string(root.join(path)).unwrap()).unwrap()
}

fn golden_request(name: &str) -> Value {
    fixture(&format!("hooks/okta/{name}.json"))
}

fn okta() -> Okta {
    Okta::new(Settings::default())
}

fn decode(body: &Value) -> HookRequest<'static> {
    okta().decode(body.to_string().as_bytes()).unwrap().into_owned()
}

fn not_a_hook(body: &[u8]) -> NotAHook {
    match okta().decode(body) {
        Ok(_) => panic!("read as a hook: {}", String::from_utf8_lossy(body)),
        Err(fault) => fault,
    }
}

/// A request in a form that can be compared and shown; the type itself has no `Debug`.
fn shown(request: &HookRequest<'_>) -> Value {
    let token = |token: &Option<TokenFacts<'_>>| {
        token.as_ref().map(|token| json!({"claims": token.claims, "lifetime": token.lifetime}))
    };
    json!({
        "event_id": request.event_id,
        "agent": request.agent,
        "client": request.client,
        "issuer": request.issuer,
        "scopes": request.scopes,
        "grant_type": request.grant_type,
        "candidate": match &request.candidate {
            Candidate::None => json!(null),
            Candidate::One(id) => json!(id),
            Candidate::Reservation(secret) => json!({"reservation": secret}),
            Candidate::Ambiguous => json!({"ambiguous": true}),
        },
        "hybrid": request.hybrid,
        "access": token(&request.access),
        "identity": token(&request.identity),
    })
}

fn bob() -> User {
    let profile = [("department", "Board"), ("team", "Directors")];
    User {
        id: UserId::parse("00uBobDelegator").unwrap(),
        login: Login::parse("bob@example.test").unwrap(),
        status: Status::Active,
        user_type: None,
        profile: profile.map(|(name, value)| (name.to_owned(), json!(value))).into(),
    }
}

fn mapped(claims: &[&str]) -> Vec<MappedClaim> {
    claims.iter().map(|claim| MappedClaim::parse(claim).unwrap()).collect()
}

fn policy() -> ClaimsPolicy {
    ClaimsPolicy {
        access: mapped(&["department", "team", "costCenter=https://example.test/cost~center"]),
        identity: mapped(&["department", "team"]),
        ..ClaimsPolicy::default()
    }
}

fn trace(stage: &str, said: &str) -> TraceLine {
    TraceLine { stage: stage.to_owned(), said: said.to_owned() }
}

/// What the use case would say of a request, with a grant that stands and an id that fits.
fn decide(request: &HookRequest<'_>) -> Decision {
    let refuse = |reason| Decision { event: Some("evt_refused".to_owned()), ..RefusalForm::default().refuse(reason) };
    match &request.candidate {
        Candidate::None => Decision::UNTOUCHED,
        Candidate::Ambiguous => refuse(Reason::AmbiguousId),
        Candidate::Reservation(_) => refuse(Reason::ReservationMissing),
        Candidate::One(_) if request.hybrid => refuse(Reason::HybridFlow),
        Candidate::One(_) => match policy().delegated(request, &bob()) {
            Ok(patch) => Decision {
                outcome: Outcome::Granted,
                effect: Effect::Patch(patch),
                event: Some("evt_granted".to_owned()),
                trace: vec![trace("grant", "continue"), trace("lock", "continue")],
                sealed: None,
            },
            Err(reason) => refuse(reason),
        },
    }
}

fn answer(request: &HookRequest<'_>) -> HookResponse {
    okta().encode(request, &decide(request))
}

fn token(claims: &[&'static str]) -> TokenFacts<'static> {
    TokenFacts { claims: claims.iter().map(|claim| Cow::Borrowed(*claim)).collect(), lifetime: Some(3600) }
}
