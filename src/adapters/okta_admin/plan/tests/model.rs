//! Okta as far as a plan is concerned: what becomes of a tenant when a change is made.

use super::*;

/// Makes the change, as its request would.
pub(super) fn apply(wish: &Wish, found: &mut Found, targets: &mut Targets<'_>, change: &Change) {
    let call = change.call(targets).unwrap_or_else(|missing| panic!("{change}: {missing}"));
    let mut body = call.body.unwrap_or_default();
    let number = found.types.len() + found.hooks.len() + found.policies.len() * 10 + found.claims.len() + 100;
    match change {
        Change::MakeType => {
            assert_eq!(wanted_type(&wish.delegatable, &found.types), Ok(None));
            found.types.push(UserType::new("oty1", body["name"].as_str().unwrap(), false, "osc1"));
            targets.schema = Some("osc1".to_owned());
        }
        Change::MakeAttribute(_) | Change::ProtectAttribute { .. } => {
            let schema = wanted_type(&wish.delegatable, &found.types).unwrap().unwrap().schema().unwrap();
            assert_eq!(call.path.last().unwrap(), schema);
            let properties = body["definitions"]["custom"]["properties"].as_object().unwrap();
            found.attributes.extend(properties.clone());
        }
        Change::MakeScope(_) => found.scopes.push(body["name"].as_str().unwrap().to_owned()),
        Change::MakeClaim(_) | Change::WriteClaim { .. } => {
            let id = if let Change::WriteClaim { id, .. } = change { id.clone() } else { "ocl1".to_owned() };
            found.claims.retain(|claim| claim.id != id);
            body["id"] = json!(id);
            found.claims.push(serde_json::from_value(body).unwrap());
        }
        Change::MakeHook(_) => {
            (body["id"], body["status"]) = (json!("calnew"), json!("ACTIVE"));
            found.hooks.push(serde_json::from_value(body).unwrap());
            targets.hook = Some("calnew".to_owned());
        }
        Change::WriteHook { id, .. } => {
            let hook = found.hooks.iter_mut().find(|hook| hook.id == *id).unwrap();
            (body["id"], body["status"]) = (json!(id), json!(hook.status));
            *hook = serde_json::from_value(body).unwrap();
        }
        Change::ActivateHook { id, .. } => {
            found.hooks.iter_mut().find(|hook| hook.id == *id).unwrap().status = "ACTIVE".to_owned();
        }
        Change::MakePolicy { client, .. } => {
            assert!(found.policies.iter().all(|policy| priority(&policy.raw) < body["priority"].as_i64().unwrap()));
            body["id"] = json!(format!("00p{number}"));
            targets.policies.insert(client.clone(), format!("00p{number}"));
            found.policies.push(Policy { raw: object(body), rules: Vec::new() });
        }
        Change::MakeRule { .. } => {
            (body["id"], body["status"]) = (json!(format!("0pr{number}")), json!("ACTIVE"));
            let policy = of_path(found, &call.path);
            assert!(policy.rules.iter().all(|rule| rule.name() != body["name"]), "names are unique");
            policy.rules.push(Rule { raw: object(body) });
        }
        Change::HookOnRule { .. } => {
            let id = call.path.last().unwrap().clone();
            body["id"] = json!(id);
            let policy = of_path(found, &call.path);
            policy.rules.iter_mut().find(|rule| rule.id() == id).unwrap().raw = object(body);
        }
        Change::MovePolicy { .. } => {
            let id = call.path.last().unwrap().clone();
            body["id"] = json!(id);
            for policy in &mut found.policies {
                policy.raw["priority"] = json!(priority(&policy.raw) + 1);
            }
            of_path(found, &call.path).raw = object(body);
        }
        Change::ActivatePolicy { .. } => of_path(found, &call.path).raw["status"] = json!("ACTIVE"),
    }
}

fn of_path<'f>(found: &'f mut Found, path: &[String]) -> &'f mut Policy {
    found.policies.iter_mut().find(|policy| path.iter().any(|part| part == policy.id())).unwrap()
}

pub(super) fn targets(secret: Option<&secrecy::SecretString>) -> Targets<'_> {
    Targets { server: "default".to_owned(), schema: None, hook: None, policies: BTreeMap::new(), secret }
}

/// Carries out the first `steps` changes.
pub(super) fn carry_out(wish: &Wish, found: &mut Found, plan: &Plan, steps: usize) {
    let secret = secrecy::SecretString::from("a secret of the tests");
    let mut targets = targets(Some(&secret));
    for change in plan.changes.iter().take(steps) {
        apply(wish, found, &mut targets, change);
    }
}
