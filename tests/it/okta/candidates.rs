//! Where the delegation id is taken from, and where it is not.

use behalf::ports::dialect::Dialect;
use serde_json::{Value, json};

use super::{ID, decode, golden_request, okta, shown};

const OTHER: &str = "dlg_another";

/// A refresh with this `state`, URL and these original grants.
fn candidate(state: Option<&str>, query: &str, grants: &[(&str, &str)]) -> Value {
    let mut body = golden_request("refresh");
    let context = &mut body["data"]["context"];
    context["request"]["url"]["value"] = json!(format!("https://as.test/v1/token{query}"));
    let protocol = context["protocol"].as_object_mut().unwrap();
    protocol.remove("originalGrant");
    protocol["request"]["state"] = json!(state);
    for (spelling, state) in grants {
        protocol.insert((*spelling).to_owned(), json!({"authorization": {"state": state}}));
    }
    shown(&decode(&body))["candidate"].take()
}

#[test]
fn the_first_field_that_holds_an_id_counts() {
    for (state, query) in [
        (Some(ID), String::new()),
        (Some("csrf"), format!("?delegationid={ID}")),
        (None, format!("?state={ID}")),
        (Some("csrf"), format!("?state=csrf&delegationid={ID}")),
        (Some("csrf"), format!("?delegationid=csrf&state={ID}#state={OTHER}")),
        (Some(ID), format!("?delegationid={ID}&state={ID}")),
        (None, format!("?delegationid=csrf&delegationid={ID}")),
        (None, format!("?a=b&&=&delegation%69d=%64{}", &ID[1..])),
    ] {
        assert_eq!(candidate(state, &query, &[]), json!(ID), "{state:?} {query}");
    }
}

#[test]
fn two_ids_are_ambiguous_wherever_they_stand() {
    for (state, query) in [
        (Some(ID), format!("?delegationid={OTHER}")),
        (Some(ID), format!("?state={OTHER}")),
        (None, format!("?delegationid={ID}&delegationid={OTHER}")),
        (None, format!("?state={ID}&delegationid={OTHER}")),
        (Some(ID), format!("?delegationid={ID}+")),
    ] {
        assert_eq!(candidate(state, &query, &[]), json!({"ambiguous": true}), "{state:?} {query}");
    }
}

#[test]
fn what_does_not_begin_like_an_id_is_none() {
    for (state, query) in [
        (Some("csrf"), ""),
        (Some("DLG_x"), "?state=%20dlg_x"),
        (None, "?delegationID=dlg_x&State=dlg_x"),
        (None, "#delegationid=dlg_x"),
        (None, "?redirect_uri=https%3A%2F%2Fapp.test%2F%3Fdelegationid%3Ddlg_x"),
        (None, "/delegationid=dlg_x"),
    ] {
        assert_eq!(candidate(state, query, &[]), json!(null), "{state:?} {query}");
    }
}

#[test]
fn the_state_of_the_login_is_no_candidate_in_any_field() {
    let everywhere = format!("?delegationid={ID}&state={ID}&state=%64{}", &ID[1..]);
    for grants in [
        [("originalGrant", ID), ("OriginalGrant", "csrf")],
        [("originalGrant", "csrf"), ("OriginalGrant", ID)],
        [("originalGrant", OTHER), ("OriginalGrant", ID)],
    ] {
        assert_eq!(candidate(Some(ID), &everywhere, &grants), json!(null), "{grants:?}");
    }
    let fresh = format!("?delegationid={ID}&state={OTHER}");
    assert_eq!(candidate(Some(OTHER), &fresh, &[("originalGrant", OTHER)]), json!(ID));
    let both = [("originalGrant", ID), ("OriginalGrant", OTHER)];
    assert_eq!(candidate(Some(OTHER), &fresh, &both), json!(null));
}

#[test]
fn escapes_of_json_and_of_urls_are_undone_first() {
    let body = golden_request("refresh").to_string();
    let hidden = body.replace(ID, &format!(r"\u0064%6cg_{}", &ID[4..])).replace("?delegationid", r"\u003Fdelegationid");
    assert_ne!(hidden, body);
    let request = okta().decode(hidden.as_bytes()).unwrap().into_owned();
    assert_eq!(shown(&request)["candidate"], json!(ID));
}

#[test]
fn the_protocol_request_says_whether_the_flow_is_hybrid_or_else_the_query() {
    for (response_type, hybrid) in
        [(json!("code id_token"), true), (json!("code token"), true), (json!("code"), false), (json!(null), true)]
    {
        let mut body = golden_request("hybrid");
        body["data"]["context"]["protocol"]["request"]["response_type"] = response_type.clone();
        assert_eq!(decode(&body).hybrid, hybrid, "{response_type}");
    }
    let mut refreshed = golden_request("refresh");
    refreshed["data"]["context"]["protocol"]["originalGrant"]["authorization"]["response_type"] = json!("code token");
    assert!(!decode(&refreshed).hybrid, "a refresh asks once, whatever the login was");
}

#[test]
fn scopes_are_those_of_the_token_and_unknown_where_it_has_no_say() {
    let mut body = golden_request("refresh");
    body["data"]["context"]["protocol"]["request"]["scope"] = json!(" a  b");
    assert_eq!(shown(&decode(&body))["scopes"], json!(["openid", "payments.read"]));
    for missing in [json!(null), json!({"claims": {}})] {
        body["data"]["access"] = missing;
        assert_eq!(shown(&decode(&body))["scopes"], json!(null), "what was asked for isn't what the token gets");
    }
    body["data"]["access"] = json!({"scopes": {}});
    assert_eq!(shown(&decode(&body))["scopes"], json!([]), "a token without scopes has none");
    body["data"]["access"] = json!({"scopes": {"pay": null}});
    assert_eq!(shown(&decode(&body))["scopes"], json!(["pay"]), "counted when in doubt: scopes only ever limit");
}

#[test]
fn lifetimes_are_found_in_the_new_place_and_in_the_old_one() {
    for (token, lifetime) in [
        (json!({"token": {"lifetime": {"expiration": 600}}}), json!(600)),
        (json!({"lifetime": {"expiration": 900}}), json!(900)),
        (json!({"lifetime": {"expiration": 900}, "token": {"lifetime": {"expiration": 600}}}), json!(600)),
        (json!({"lifetime": {"expiration": 900}, "token": {"lifetime": null}}), json!(900)),
        (json!({}), json!(null)),
    ] {
        let body = json!({
            "eventType": "com.okta.oauth2.tokens.transform", "data": {"access": token, "identity": token},
        });
        let shown = shown(&decode(&body));
        assert_eq!(shown["access"]["lifetime"], lifetime, "{token}");
        assert_eq!(shown["identity"]["lifetime"], lifetime, "{token}");
    }
}
