//! Okta's request, read into neutral words. Every field may be missing, and null is as good as missing.

mod id;
mod wire;

use std::borrow::Cow;

use serde_json::error::Category;

use self::{
    id::Query,
    wire::{Claims, Data, Envelope, Lifetime, Members, Minting, Object, Text, WithSession, opened, text},
};
use crate::{
    domain::hook::{HookRequest, TokenFacts},
    ports::dialect::NotAHook,
};

/// The one event type that this dialect answers.
const EVENT_TYPE: &str = "com.okta.oauth2.tokens.transform";

/// Reads a body, borrowing from it.
pub(super) fn decode(body: &[u8]) -> Result<HookRequest<'_>, NotAHook> {
    read(body).map_err(|detail| NotAHook { detail, carries_id: id::may_carry_id(body) })
}

/// The user whose session it is. Hooks that delegate don't read it, so there it may be anything.
pub(super) fn session_user(body: &[u8]) -> Result<Option<Cow<'_, str>>, NotAHook> {
    let read = serde_json::from_slice::<Object<WithSession<'_>>>(body);
    let Object(envelope) = read.map_err(|e| NotAHook { detail: place_of(&e), carries_id: false })?;
    Ok(text(opened(opened(opened(envelope.data).context).session).user_id))
}

fn read(body: &[u8]) -> Result<HookRequest<'_>, String> {
    let json = std::str::from_utf8(body).map_err(|e| format!("no UTF-8 behind byte {}", e.valid_up_to()))?;
    let Object(envelope) = serde_json::from_str::<Object<Envelope<'_>>>(json).map_err(|e| place_of(&e))?;
    match &envelope.event_type {
        Some(Text(kind)) if kind == EVENT_TYPE => {}
        Some(_) => return Err("another event type".to_owned()),
        None => return Err("no event type".to_owned()),
    }
    Ok(HookRequest { event_id: text(envelope.event_id), ..neutral(opened(envelope.data)) })
}

/// Says where, and not what: the parser's own message quotes the content.
fn place_of(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Data => "a field that is of the wrong type or comes twice",
        Category::Eof => "JSON that ends too early",
        Category::Syntax | Category::Io => "no JSON",
    };
    format!("{what}, at line {} column {}", error.line(), error.column())
}

fn neutral(data: Data<'_>) -> HookRequest<'_> {
    let context = opened(data.context);
    let protocol = opened(context.protocol);
    let asked = opened(protocol.request);
    let query = text(opened(opened(context.request).url).value).map(Query::of).unwrap_or_default();
    let hybrid = id::is_hybrid(asked.response_type.as_ref().map(|Text(kind)| kind.as_ref()), &query);
    let spent = [protocol.original_grant, protocol.original_grant_capital]
        .map(|grant| text(opened(opened(grant).authorization).state));
    let (access, scopes) = match data.access {
        Some(Object(access)) => (Some(facts(access.claims, access.token, access.lifetime)), access.scopes),
        None => (None, None),
    };
    HookRequest {
        event_id: None,
        agent: text(opened(context.user).id),
        client: text(opened(protocol.client).id),
        issuer: text(opened(protocol.issuer).uri),
        // What the client asked for (`protocol.request.scope`) isn't what the token gets: it bounds nothing.
        scopes: scopes.map(|Members(names)| names),
        grant_type: text(asked.grant_type),
        candidate: id::candidate(text(asked.state), query, &spent),
        hybrid,
        access,
        identity: data.identity.map(|Object(token)| facts(token.claims, token.token, token.lifetime)),
    }
}

/// The lifetime stands in `token.lifetime`; payloads of older versions have `lifetime` beside the claims.
fn facts(
    claims: Option<Claims<'_>>,
    minting: Option<Object<Minting>>,
    older: Option<Object<Lifetime>>,
) -> TokenFacts<'_> {
    let Claims(claims) = claims.unwrap_or_default();
    let lifetime = opened(opened(minting).lifetime).expiration.or(opened(older).expiration);
    TokenFacts { claims, lifetime }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hook::Candidate;

    #[test]
    fn a_plain_body_is_borrowed_from() {
        let body = br#"{"eventType":"com.okta.oauth2.tokens.transform","data":{
            "context":{"protocol":{"request":{"state":"dlg_a"}},"user":{"id":"00uAlice"}},
            "access":{"claims":{"sub":"x"},"scopes":{"openid":{},"pay":{}}}}}"#;
        let request = decode(body).unwrap();
        let borrowed = |text: &Cow<'_, str>| matches!(text, Cow::Borrowed(_));
        assert!(request.agent.as_ref().is_some_and(borrowed));
        assert!(request.scopes.is_some_and(|all| all.len() == 2 && all.iter().all(borrowed)));
        assert!(request.access.is_some_and(|token| token.claims.len() == 1 && token.claims.iter().all(borrowed)));
        assert!(matches!(&request.candidate, Candidate::One(id) if borrowed(id)));
    }
}
