//! The hook of a self-test, as Okta would send it.

use jiff::Timestamp;
use serde_json::json;

use crate::domain::{
    hook::SELF_TEST_USER,
    ids::{DelegationId, Issuer},
};

/// Of the right form, but from 1970: no such id was ever handed out.
pub fn impossible_id() -> DelegationId {
    DelegationId::mint(Timestamp::UNIX_EPOCH, [0; 32])
}

/// A refresh by the user that no provider knows; `event` names this one.
pub fn hook(issuer: &Issuer, event: &str, now: Timestamp, id: Option<&DelegationId>) -> String {
    let query = id.map(|id| format!("?delegationid={}", id.expose())).unwrap_or_default();
    let scopes = json!({"openid": {"id": "scp-self-test", "action": "GRANT"}});
    let lifetime = json!({"lifetime": {"expiration": 3600}});
    json!({
        "source": format!("{issuer}/v1/token"), "eventId": event, "eventTime": now.to_string(),
        "eventTypeVersion": "1.0", "cloudEventVersion": "0.1", "contentType": "application/json",
        "eventType": "com.okta.oauth2.tokens.transform",
        "data": {
            "context": {
                "request": {"id": event, "method": "POST", "url": {"value": format!("{issuer}/v1/token{query}")}},
                "protocol": {
                    "type": "OAUTH2.0", "request": {"grant_type": "refresh_token", "scope": "openid"},
                    "originalGrant": {"authorization": {"state": "self-test"}},
                    "issuer": {"uri": issuer.to_string()},
                    "client": {"id": SELF_TEST_USER, "name": "behalf selftest", "type": "PUBLIC"}},
                "user": {"id": SELF_TEST_USER, "profile": {"login": SELF_TEST_USER}}},
            "identity": {"claims": {"sub": SELF_TEST_USER}, "token": lifetime},
            "access": {"claims": {"sub": SELF_TEST_USER, "uid": SELF_TEST_USER}, "token": lifetime, "scopes": scopes}}
    })
    .to_string()
}
