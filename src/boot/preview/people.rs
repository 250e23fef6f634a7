//! Whether the users and groups that rules name are there.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    adapters::finding::Finding,
    boot::directory::Directories,
    domain::{
        approval::template::Template,
        ids::{GroupId, UserId, UserRef},
        rule::Rule,
    },
    policy::grant::is_named,
    ports::directory::Directory,
};

/// Asks the directory about everybody whom the rules name.
pub(super) async fn inspect(rules: &[Rule], directories: &Directories) -> Vec<Finding> {
    if rules.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut known = BTreeMap::new();
    for rule in rules {
        let Some(template) = &rule.approval else { continue };
        let mut able = Able { directory: &*directories.others, known: &mut known, found: &mut found, rule: &rule.name };
        able.inspect(template).await;
    }
    found.extend(groups(rules, directories));
    if found.is_empty() {
        let rules = if rules.len() == 1 { "1 rule".to_owned() } else { format!("{} rules", rules.len()) };
        found.push(Finding::good(rules));
    }
    found
}

/// What the directory says of a user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Active,
    Inactive,
    Absent,
    Unknown,
}

/// Looks at one rule's approvers.
struct Able<'a> {
    directory: &'a dyn Directory,
    /// Who was asked for already.
    known: &'a mut BTreeMap<UserId, Standing>,
    found: &'a mut Vec<Finding>,
    rule: &'a str,
}

impl Able<'_> {
    async fn inspect(&mut self, template: &Template) {
        let (mut able, mut all_known) = (0, true);
        for user in template.users() {
            match self.standing(user).await {
                Standing::Active => able += 1,
                Standing::Inactive => self.warn(&format!("the approver user:{user} isn't active")),
                Standing::Absent => self.fault(&format!("the approver user:{user} is not in the directory")),
                Standing::Unknown => all_known = false,
            }
        }
        // Members of groups aren't counted.
        if template.groups().next().is_none() && all_known && able < usize::from(template.quorum) {
            let quorum = template.quorum;
            self.fault(&format!("only {able} of its approvers can approve, and its quorum is {quorum}"));
        }
    }

    async fn standing(&mut self, user: &UserId) -> Standing {
        if let Some(standing) = self.known.get(user) {
            return *standing;
        }
        let who = UserRef::Id(user.clone());
        let standing = match self.directory.user(&who).await {
            Ok(Some(found)) if !is_named(&found, &who) => Standing::Absent,
            Ok(Some(found)) if found.is_active() => Standing::Active,
            Ok(Some(_)) => Standing::Inactive,
            Ok(None) => Standing::Absent,
            Err(error) => {
                self.warn(&format!("the directory could not be asked for the approver user:{user}: {error}"));
                Standing::Unknown
            }
        };
        self.known.insert(user.clone(), standing);
        standing
    }

    fn warn(&mut self, what: &str) {
        self.found.push(Finding::warning(format!("rule \"{}\": {what}", self.rule)));
    }

    fn fault(&mut self, what: &str) {
        self.found.push(Finding::error(format!("rule \"{}\": {what}", self.rule)));
    }
}

/// Groups, as far as there is a way to ask for one: of a file, where a group is what users are in.
fn groups(rules: &[Rule], directories: &Directories) -> Option<Finding> {
    let users = directories.file.as_ref().map(|file| file.directory.users());
    let is_there = |group: &GroupId| users.as_ref().is_some_and(|users| users.has_group(group));
    let missing: BTreeSet<String> = rules
        .iter()
        .flat_map(|rule| named_groups(rule).filter(|group| !is_there(group)).map(|group| told(group, rule)))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let missing = missing.into_iter().collect::<Vec<_>>().join(", ");
    Some(match users {
        Some(_) => Finding::error(format!("no user is in these groups: {missing}")),
        None => Finding::warning(format!(
            "groups can't be asked of this directory; make sure that these are ids of groups that are there: {missing}"
        )),
    })
}

fn named_groups(rule: &Rule) -> impl Iterator<Item = &GroupId> {
    let approvers = rule.approval.iter().flat_map(Template::groups);
    rule.when.delegator_groups.iter().chain(&rule.when.agent_groups).chain(approvers)
}

fn told(group: &GroupId, rule: &Rule) -> String {
    format!("{group} (rule \"{}\")", rule.name)
}
