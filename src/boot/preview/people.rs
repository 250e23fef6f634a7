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
    ports::directory::{Directory, DirectoryError, Members},
};

/// Members of an approvers' group that are looked at.
const MOST_LOOKED_AT: usize = 200;

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
    found.extend(groups(rules, &*directories.others).await);
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
        let quorum = usize::from(template.quorum);
        let mut able = BTreeSet::new();
        let mut all_known = true;
        for user in template.users() {
            match self.standing(user).await {
                Standing::Active => drop(able.insert(user.clone())),
                Standing::Inactive => self.warn(&format!("the approver user:{user} isn't active")),
                Standing::Absent => self.fault(&format!("the approver user:{user} is not in the directory")),
                Standing::Unknown => all_known = false,
            }
        }
        for group in template.groups() {
            let Some(members) = self.members(group, able.len() >= quorum).await else {
                all_known = false;
                continue;
            };
            // There may be others among those who weren't read.
            all_known &= !members.more;
            for user in members.ids {
                // Two more than it takes: nobody decides about his own request, or one about himself.
                if able.len() >= quorum + 2 {
                    break;
                }
                match self.standing(&user).await {
                    Standing::Active => drop(able.insert(user)),
                    Standing::Inactive | Standing::Absent => {}
                    Standing::Unknown => all_known = false,
                }
            }
        }
        if all_known && able.len() < quorum {
            let able = able.len();
            self.fault(&format!("only {able} of its approvers can approve, and its quorum is {quorum}"));
        }
    }

    /// Who is in an approvers' group; `None`: that isn't known, which was said. A group that isn't there is told of with
    /// all others, and nobody is in it.
    async fn members(&mut self, group: &GroupId, spare: bool) -> Option<Members> {
        match self.directory.members_of(group, MOST_LOOKED_AT).await {
            Ok(found) => return Some(found.unwrap_or_default()),
            Err(error @ DirectoryError::Rejected(_)) if !spare => self.fault(&format!(
                "the directory doesn't tell who is in the approvers' group {group}, and approvals aren't asked for \
                 without that: {error}"
            )),
            Err(error) => self.warn(&format!("the directory could not be asked for the members of {group}: {error}")),
        }
        None
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

/// Groups that aren't there.
async fn groups(rules: &[Rule], directory: &dyn Directory) -> Vec<Finding> {
    let mut named: BTreeMap<&GroupId, BTreeSet<&str>> = BTreeMap::new();
    for rule in rules {
        for group in named_groups(rule) {
            named.entry(group).or_default().insert(&rule.name);
        }
    }
    let mut found = Vec::new();
    for (group, rules) in named {
        let told = || rules.iter().map(|rule| format!("rule \"{rule}\"")).collect::<Vec<_>>().join(", ");
        match directory.members_of(group, 1).await {
            Ok(Some(_)) => {}
            Ok(None) => found.push(Finding::error(format!("{}: there is no group {group}", told()))),
            Err(error) => found.push(Finding::warning(format!(
                "{}: whether there is a group {group} could not be asked: {error}; make sure that it is its id",
                told()
            ))),
        }
    }
    found
}

fn named_groups(rule: &Rule) -> impl Iterator<Item = &GroupId> {
    let approvers = rule.approval.iter().flat_map(Template::groups);
    rule.when.delegator_groups.iter().chain(&rule.when.agent_groups).chain(approvers)
}
