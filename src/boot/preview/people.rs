//! Whether the users and groups that rules, applications and the approval of keys name are there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    adapters::finding::Finding,
    config::KeySettings,
    domain::{
        application::Application,
        approval::template::{Approver, Template},
        ids::{GroupId, UserId, UserRef},
        rule::Rule,
    },
    policy::grant::is_named,
    ports::directory::{Directory, DirectoryError, Members},
};

/// Members of an approvers' group that are looked at.
const MOST_LOOKED_AT: usize = 200;

/// A place of the configuration that names people.
pub(super) struct Named<'a> {
    /// How findings name it.
    name: String,
    /// Who decides there; may be nobody.
    approvers: Vec<&'a Approver>,
    /// How many of them it takes.
    quorum: u8,
    /// Other groups that it names.
    groups: Vec<&'a GroupId>,
}

impl<'a> Named<'a> {
    fn of_template(name: String, template: Option<&'a Template>) -> Self {
        let approvers = template.iter().flat_map(|template| &template.approvers).collect();
        Self { name, approvers, quorum: template.map_or(0, |template| template.quorum), groups: Vec::new() }
    }

    /// Each rule.
    pub(super) fn rules(rules: &'a [Rule]) -> Vec<Self> {
        let place = |rule: &'a Rule| Self {
            groups: rule.when.delegator_groups.iter().chain(&rule.when.agent_groups).collect(),
            ..Self::of_template(format!("rule \"{}\"", rule.name), rule.approval.as_ref())
        };
        rules.iter().map(place).collect()
    }

    /// Each application that may ask for approvals.
    pub(super) fn applications(applications: &'a [Arc<Application>]) -> Vec<Self> {
        let asks = applications.iter().filter(|it| it.approval.is_some());
        asks.map(|it| Self::of_template(format!("application {}", it.uri), it.approval.as_ref())).collect()
    }

    /// Those who decide about approvers' keys, if anybody must.
    pub(super) fn keys(settings: &'a KeySettings) -> Vec<Self> {
        let name = "`approvals.key_approvers`".to_owned();
        let place = Self { name, approvers: settings.approvers.iter().collect(), quorum: 1, groups: Vec::new() };
        if place.approvers.is_empty() { Vec::new() } else { vec![place] }
    }
}

/// Asks the directory about everybody whom these places name. `one` and `many` are what they are.
pub(super) async fn inspect(
    places: &[Named<'_>],
    (one, many): (&str, &str),
    directory: &dyn Directory,
) -> Vec<Finding> {
    if places.is_empty() {
        return Vec::new();
    }
    let (mut found, mut known) = (Vec::new(), BTreeMap::new());
    for place in places.iter().filter(|place| !place.approvers.is_empty()) {
        Able { directory, known: &mut known, found: &mut found, place }.inspect().await;
    }
    found.extend(groups(places, directory).await);
    if found.is_empty() {
        let what = if places.len() == 1 { one } else { many };
        found.push(Finding::good(format!("{} {what}", places.len())));
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

/// Looks at the approvers of one place.
struct Able<'a> {
    directory: &'a dyn Directory,
    /// Who was asked for already.
    known: &'a mut BTreeMap<UserId, Standing>,
    found: &'a mut Vec<Finding>,
    place: &'a Named<'a>,
}

impl Able<'_> {
    async fn inspect(&mut self) {
        let quorum = usize::from(self.place.quorum);
        let mut able = BTreeSet::new();
        let mut all_known = true;
        for user in self.place.approvers.iter().filter_map(|it| it.user()) {
            match self.standing(user).await {
                Standing::Active => drop(able.insert(user.clone())),
                Standing::Inactive => self.warn(&format!("the approver user:{user} isn't active")),
                Standing::Absent => self.fault(&format!("the approver user:{user} is not in the directory")),
                Standing::Unknown => all_known = false,
            }
        }
        for group in self.place.approvers.iter().filter_map(|it| it.group()) {
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
        self.found.push(Finding::warning(format!("{}: {what}", self.place.name)));
    }

    fn fault(&mut self, what: &str) {
        self.found.push(Finding::error(format!("{}: {what}", self.place.name)));
    }
}

/// Groups that aren't there.
async fn groups(places: &[Named<'_>], directory: &dyn Directory) -> Vec<Finding> {
    let mut named: BTreeMap<&GroupId, BTreeSet<&str>> = BTreeMap::new();
    for place in places {
        for group in place.approvers.iter().filter_map(|it| it.group()).chain(place.groups.iter().copied()) {
            named.entry(group).or_default().insert(&place.name);
        }
    }
    let mut found = Vec::new();
    for (group, places) in named {
        let told = || places.iter().copied().collect::<Vec<_>>().join(", ");
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
