//! A tenant's rules: which delegations need more than a grant, and what they may contain.

use std::collections::BTreeSet;

use serde::Serialize;

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

    /// True if it allows all of these scopes.
    pub fn allows(&self, scopes: &BTreeSet<String>) -> bool {
        self.scopes_allowed.as_ref().is_none_or(|allowed| scopes.is_subset(allowed))
    }

    /// Those of the scopes that it allows.
    pub fn allowed_of(&self, scopes: &BTreeSet<String>) -> BTreeSet<String> {
        let is_allowed = |scope: &&String| self.scopes_allowed.as_ref().is_none_or(|allowed| allowed.contains(*scope));
        scopes.iter().filter(is_allowed).cloned().collect()
    }

    /// The stages that it asks for, by their names in the configuration, in the order in which they run.
    pub fn stages(&self) -> Vec<&'static str> {
        let asked = [("approval", self.approval.is_some()), ("reservation", self.reservation)];
        asked.into_iter().filter_map(|(stage, is_asked)| is_asked.then_some(stage)).collect()
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

/// One of the conditions of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Groups of the delegator.
    DelegatorGroups,
    /// Groups of the agent.
    AgentGroups,
    /// The client.
    Clients,
    /// Scopes.
    Scopes,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DelegatorGroups, Self::AgentGroups, Self::Clients, Self::Scopes];

    /// Its key in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::DelegatorGroups => "delegator_groups",
            Self::AgentGroups => "agent_groups",
            Self::Clients => "clients",
            Self::Scopes => "scopes",
        }
    }

    fn is_met(self, when: &When, is: &Situation<'_>) -> bool {
        fn any<T: Ord>(wanted: &BTreeSet<T>, present: &BTreeSet<T>) -> bool {
            wanted.is_empty() || !wanted.is_disjoint(present)
        }
        match self {
            Self::DelegatorGroups => any(&when.delegator_groups, is.delegator_groups),
            Self::AgentGroups => any(&when.agent_groups, is.agent_groups),
            Self::Clients => when.clients.is_empty() || when.clients.contains(is.client),
            Self::Scopes => any(&when.scopes, is.scopes),
        }
    }

    fn missed(self, when: &When, is: &Situation<'_>) -> Missed {
        fn texts<T: ToString>(items: &BTreeSet<T>) -> BTreeSet<String> {
            items.iter().map(T::to_string).collect()
        }
        let (wanted, present) = match self {
            Self::DelegatorGroups => (texts(&when.delegator_groups), texts(is.delegator_groups)),
            Self::AgentGroups => (texts(&when.agent_groups), texts(is.agent_groups)),
            Self::Clients => (texts(&when.clients), BTreeSet::from([is.client.to_string()])),
            Self::Scopes => (when.scopes.clone(), is.scopes.clone()),
        };
        Missed { condition: self, wanted, present }
    }
}

impl When {
    fn fits(&self, is: &Situation<'_>) -> bool {
        Condition::ALL.iter().all(|condition| condition.is_met(self, is))
    }
}

/// The first rule that fits; none: grant and lock alone.
pub fn first_match<'r>(rules: &'r [Rule], is: &Situation<'_>) -> Option<&'r Rule> {
    rules.iter().find(|rule| rule.when.fits(is))
}

/// A condition that isn't met, and by what: none of the wanted is among the present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Which condition.
    pub condition: Condition,
    /// What the rule names.
    pub wanted: BTreeSet<String>,
    /// What there is.
    pub present: BTreeSet<String>,
}

/// What became of a rule when one was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It applies.
    Matched,
    /// It would, if an earlier one didn't.
    Shadowed,
    /// These conditions of it aren't met.
    Missed(Vec<Missed>),
}

/// A rule, and why it applies or doesn't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The rule's name.
    pub rule: String,
    /// What became of it.
    pub fit: Fit,
}

/// Why [`first_match`] gives what it gives: a word about every rule.
pub fn explain(rules: &[Rule], is: &Situation<'_>) -> Vec<Explained> {
    let first = rules.iter().position(|rule| rule.when.fits(is));
    let fit = |at: usize, rule: &Rule| match first {
        Some(first) if at == first => Fit::Matched,
        _ if rule.when.fits(is) => Fit::Shadowed,
        _ => {
            let missed = Condition::ALL.iter().filter(|condition| !condition.is_met(&rule.when, is));
            Fit::Missed(missed.map(|condition| condition.missed(&rule.when, is)).collect())
        }
    };
    rules.iter().enumerate().map(|(at, rule)| Explained { rule: rule.name.clone(), fit: fit(at, rule) }).collect()
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

    #[test]
    fn every_rule_is_explained_with_the_values_that_decided() {
        let rules = [
            rule("directors", When { delegator_groups: groups(&["dir"]), ..When::default() }),
            rule("two", When { agent_groups: groups(&["x"]), scopes: ["pay".to_owned()].into(), ..When::default() }),
            rule("app", When { clients: [ClientId::parse("app").unwrap()].into(), ..When::default() }),
            rule("rest", When::default()),
        ];
        let (none, ops, app) = (BTreeSet::new(), groups(&["ops"]), ClientId::parse("app").unwrap());
        let scopes = BTreeSet::from(["read".to_owned()]);
        let is = Situation { delegator_groups: &none, agent_groups: &ops, client: &app, scopes: &scopes };
        let set = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<BTreeSet<String>>();
        let missed = |condition, wanted: &[&str], present: &[&str]| Missed {
            condition,
            wanted: set(wanted),
            present: set(present),
        };
        let told: Vec<_> = explain(&rules, &is).into_iter().map(|explained| explained.fit).collect();
        let expected = [
            Fit::Missed(vec![missed(Condition::DelegatorGroups, &["dir"], &[])]),
            Fit::Missed(vec![
                missed(Condition::AgentGroups, &["x"], &["ops"]),
                missed(Condition::Scopes, &["pay"], &["read"]),
            ]),
            Fit::Matched,
            Fit::Shadowed,
        ];
        assert_eq!(told, expected);
        assert_eq!(first_match(&rules, &is).map(|rule| rule.name.as_str()), Some("app"));
        let web = ClientId::parse("web").unwrap();
        let told = explain(&rules[..3], &Situation { client: &web, ..is });
        assert_eq!(told[2].fit, Fit::Missed(vec![missed(Condition::Clients, &["app"], &["web"])]));
    }
}
