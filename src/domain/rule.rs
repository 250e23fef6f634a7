//! A tenant's rules: which delegations need more than a grant, and what they may contain.

use std::collections::BTreeSet;

use super::{
    approval::template::Template,
    ids::{ClientId, GroupId},
};

/// What a rule is for. An empty set means "any"; otherwise one common element suffices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct When {
    /// Groups of the delegator.
    pub delegator_groups: BTreeSet<GroupId>,
    /// Groups of the agent.
    pub agent_groups: BTreeSet<GroupId>,
    /// OAuth clients.
    pub clients: BTreeSet<ClientId>,
    /// Scopes of the token.
    pub scopes: BTreeSet<String>,
}

/// One rule: what it is for, and what it demands beyond grant and lock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// For people, traces and audit.
    pub name: String,
    /// What it is for.
    pub when: When,
    /// Upper bound of the token's scopes.
    pub scopes_allowed: Option<BTreeSet<String>>,
    /// Upper bound of the token's lifetime, seconds.
    pub max_token_lifetime: Option<u64>,
    /// Use the dialect's minimum where the bound lies below it, instead of refusing.
    pub allow_overrun: bool,
    /// The approval that it demands.
    pub approval: Option<Template>,
    /// Whether the delegator's account must be reserved.
    pub reservation: bool,
}

impl Rule {
    /// True if a delegation must be prepared for it before a hook can grant it.
    pub fn asks_for_stages(&self) -> bool {
        self.approval.is_some() || self.reservation
    }
}

/// What is known when a rule is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Groups of the delegator.
    pub delegator_groups: &'a BTreeSet<GroupId>,
    /// Groups of the agent.
    pub agent_groups: &'a BTreeSet<GroupId>,
    /// The client.
    pub client: &'a ClientId,
    /// Scopes of the token, or those asked for.
    pub scopes: &'a BTreeSet<String>,
}

impl When {
    fn fits(&self, is: &Situation<'_>) -> bool {
        fn any<T: Ord>(wanted: &BTreeSet<T>, present: &BTreeSet<T>) -> bool {
            wanted.is_empty() || !wanted.is_disjoint(present)
        }
        any(&self.delegator_groups, is.delegator_groups)
            && any(&self.agent_groups, is.agent_groups)
            && (self.clients.is_empty() || self.clients.contains(is.client))
            && any(&self.scopes, is.scopes)
    }
}

/// The first rule that fits; none: grant and lock alone.
pub fn first_match<'r>(rules: &'r [Rule], is: &Situation<'_>) -> Option<&'r Rule> {
    rules.iter().find(|rule| rule.when.fits(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(names: &[&str]) -> BTreeSet<GroupId> {
        names.iter().map(|n| GroupId::parse(n).unwrap()).collect()
    }

    fn rule(name: &str, when: When) -> Rule {
        Rule { name: name.to_owned(), when, ..Rule::default() }
    }

    #[test]
    fn the_first_match_wins_and_empty_means_any() {
        let rules = [
            rule("directors", When { delegator_groups: groups(&["dir", "board"]), ..When::default() }),
            rule("payments", When { scopes: ["pay".to_owned()].into(), ..When::default() }),
            rule("rest", When::default()),
        ];
        let (none, app) = (BTreeSet::new(), ClientId::parse("app").unwrap());
        let found = |delegator_groups: &BTreeSet<GroupId>, scope: &str| {
            let scopes = BTreeSet::from([scope.to_owned()]);
            let is = Situation { delegator_groups, agent_groups: &none, client: &app, scopes: &scopes };
            first_match(&rules, &is).map(|r| r.name.clone())
        };
        assert_eq!(found(&groups(&["board"]), "pay").as_deref(), Some("directors"));
        assert_eq!(found(&none, "pay").as_deref(), Some("payments"));
        assert_eq!(found(&none, "read").as_deref(), Some("rest"));
    }

    #[test]
    fn every_condition_must_fit() {
        let when = When {
            agent_groups: groups(&["ops"]),
            clients: [ClientId::parse("app").unwrap()].into(),
            ..When::default()
        };
        let rules = [rule("one", when)];
        let (none, ops) = (BTreeSet::new(), groups(&["ops"]));
        let scopes = BTreeSet::new();
        for (agent_groups, client, fits) in [(&ops, "app", true), (&none, "app", false), (&ops, "web", false)] {
            let client = ClientId::parse(client).unwrap();
            let is = Situation { delegator_groups: &none, agent_groups, client: &client, scopes: &scopes };
            assert_eq!(first_match(&rules, &is).is_some(), fits);
        }
    }
}
