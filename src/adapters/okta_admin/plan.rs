//! The way from what a tenant has to what is wanted. Pure: nobody is asked, nothing is changed.
//!
//! What is missing is made. What exists and isn't as wanted is left as it is and said, as an error with what to do;
//! `fix` changes it. One thing is changed at once, because it lets users hand themselves out: an attribute that its
//! owner may write.

use super::{
    change::{Change, Target},
    found::{Claim, Found, Server, wanted_type},
    wish::{ATTRIBUTE, CLAIM_VALUE, Delegatable, TYPE_NAME, Wish},
};
use crate::adapters::finding::{Finding, Level};

mod access;
mod attribute;
mod hook;
#[cfg(test)]
mod tests;

/// Okta's bound on user types (one of them the default).
const MOST_TYPES: usize = 10;

/// What is to be done, in this order, and what is to be said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// What is missing.
    pub changes: Vec<Change>,
    /// What is there, what could be better (warning), and what stands in the way (error).
    pub findings: Vec<Finding>,
}

impl Plan {
    /// True if nothing is missing and nothing stands in the way.
    pub fn is_complete(&self) -> bool {
        self.changes.is_empty() && !self.is_blocked()
    }

    /// True if something is there that isn't as it must be, and is left so.
    pub fn is_blocked(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Error)
    }

    fn good(&mut self, text: impl Into<String>) {
        self.findings.push(Finding::good(text));
    }

    fn warning(&mut self, text: impl Into<String>) {
        self.findings.push(Finding::warning(text));
    }

    fn error(&mut self, text: impl Into<String>) {
        self.findings.push(Finding::error(text));
    }

    fn change(&mut self, change: Change) {
        self.changes.push(change);
    }
}

/// Compares, and says what to do.
pub fn plan(wish: &Wish, found: &Found) -> Plan {
    let mut plan = Plan::default();
    server(wish, &found.server, &mut plan);
    let attribute = user_type(wish, found, &mut plan);
    if let Some(scope) = &wish.scope {
        if found.scopes.contains(scope) {
            plan.good(format!("scope `{scope}`"));
        } else {
            plan.change(Change::MakeScope(scope.clone()));
        }
    }
    claim(wish, &found.claims, attribute, &mut plan);
    let hook = hook::hook(wish, &found.hooks, &mut plan);
    access::access(wish, &found.policies, hook.as_ref(), &mut plan);
    plan
}

fn server(wish: &Wish, server: &Server, plan: &mut Plan) {
    plan.good(format!("authorization server `{}` ({})", server.name, server.id));
    if server.issuer != wish.issuer {
        plan.warning(format!(
            "it says that its issuer is {}, but BEHALF_ISSUER is {}: behalf takes only tokens whose `iss` is the latter",
            server.issuer, wish.issuer
        ));
    }
    if let Some(audience) = &wish.audience
        && !server.audiences.contains(audience)
    {
        plan.warning(format!(
            "its audience is {}, but BEHALF_AUDIENCE is {audience}: behalf refuses its tokens",
            server.audiences.join(", ")
        ));
    }
    if server.status != "ACTIVE" {
        plan.warning("it is not active, so it makes no tokens");
    }
}

/// Type and attribute. True if users will have the attribute once the plan is carried out.
fn user_type(wish: &Wish, found: &Found, plan: &mut Plan) -> bool {
    match wanted_type(&wish.delegatable, &found.types) {
        Ok(Some(there)) => {
            plan.good(format!("user type `{}` ({})", there.name, there.id));
            let Some(schema) = there.schema() else {
                plan.error(format!("Okta doesn't say which schema the user type `{}` has", there.name));
                return false;
            };
            attribute::attribute(schema, &found.attributes, plan)
        }
        Ok(None) if wish.delegatable == Delegatable::Ours && found.types.len() >= MOST_TYPES => {
            plan.error(format!(
                "there are {MOST_TYPES} user types and Okta allows no more: delete one, name one by \
                 BEHALF_DELEGATED_USER_TYPE_ID, or let every user be a delegator (--every-user); `{TYPE_NAME}` \
                 wasn't made"
            ));
            false
        }
        Ok(None) => {
            plan.change(Change::MakeType);
            plan.change(Change::MakeAttribute(Target::Made));
            true
        }
        Err(why) => {
            plan.error(format!("{why}: correct BEHALF_DELEGATED_USER_TYPE_ID, or leave it out"));
            false
        }
    }
}

/// The claim reads the attribute, so it comes after it.
fn claim(wish: &Wish, claims: &[Claim], attribute: bool, plan: &mut Plan) {
    let name = &wish.claim;
    let Some(there) = claims.iter().find(|claim| claim.name == *name && claim.kind == "RESOURCE") else {
        if attribute {
            plan.change(Change::MakeClaim(name.clone()));
        } else {
            plan.error(format!("the claim `{name}` can't be made before the attribute `{ATTRIBUTE}` is there"));
        }
        return;
    };
    let everywhere = there.conditions.as_ref().and_then(|at| at.scopes.as_ref()).is_none_or(Vec::is_empty);
    let value = there.value.as_deref().unwrap_or_default();
    if there.value_type == "EXPRESSION" && same_expression(value, CLAIM_VALUE) && everywhere && there.status == "ACTIVE"
    {
        plan.good(format!("claim `{name}` ({})", there.id));
    } else if wish.fix && attribute {
        plan.change(Change::WriteClaim { id: there.id.clone(), name: name.clone() });
    } else {
        let scopes = if everywhere { "" } else { ", for some scopes only" };
        plan.error(format!(
            "the claim `{name}` ({}) is another: {}, {} `{value}`{scopes}; --fix gives it the value `{CLAIM_VALUE}`, or \
             name another claim by BEHALF_CLAIM_CAN_DELEGATE",
            there.id,
            there.status.to_lowercase(),
            there.value_type.to_lowercase()
        ));
    }
}

/// Spaces don't matter, but in texts.
fn same_expression(one: &str, other: &str) -> bool {
    let packed = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    packed(one) == packed(other)
}
