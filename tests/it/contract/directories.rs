//! The contract of `ports::Directory`, over every connector and, where it can be had, over the real server.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use behalf::{
    adapters::directory::{
        coalesced::Coalesced,
        entries::Entries,
        guarded::{Deadlines, Guard, Guarded},
        timed::Timed,
    },
    domain::ids::{GroupId, Login, UserId, UserRef},
    metrics::Metrics,
    ports::directory::{Directory, MOST_MEMBERS},
};

use crate::support::proxy::Proxy;

mod embedded;
pub(in crate::contract) mod faults;
pub(in crate::contract) mod grants;
pub(in crate::contract) mod groups;
mod ldap;
pub(in crate::contract) mod odd;
mod okta;
pub(in crate::contract) mod parallel;
pub(in crate::contract) mod people;
mod scim;

/// How long a caller waits for an answer.
pub(crate) const BUDGET: Duration = Duration::from_secs(2);

/// A directory of one kind, and a way past the connector to arrange what is in it. Tests may share one: whatever is
/// put gets a login of its own.
#[async_trait]
pub(crate) trait Rig: Send + Sync + 'static {
    /// The directory as a process of the service has it; a second call gives another process's.
    async fn directory(&self) -> Arc<dyn Directory>;

    /// Makes an active user with this login. Gives his id.
    async fn put(&self, login: &str) -> UserId;

    /// Makes the account one that doesn't work.
    async fn suspend(&self, user: &UserId);

    /// Deletes the user. Lists that name him stay as they are, as far as the directory lets them.
    async fn delete(&self, user: &UserId);

    /// Makes a group with these members. Gives its id; `None`: no groups here, or none that nobody is in.
    async fn group(&self, members: &[UserId]) -> Option<GroupId>;

    /// The id of a group that isn't there, though it might be.
    fn nobodys_group(&self) -> GroupId;

    /// Members of a large group; each takes a moment to make.
    fn crowd(&self) -> usize {
        MOST_MEMBERS + 20
    }

    /// Sets the delegator's list of agents.
    async fn list(&self, delegator: &UserId, agents: &[UserId]);

    /// Whether users can be found by that login; what can't is never found wrongly.
    fn finds(&self, _login: &str) -> bool {
        true
    }

    /// How many connections at once it bears.
    fn bears(&self) -> usize {
        40
    }

    /// The line between the connector of `directory` and the server, where there is one. Who asks for it has the rig
    /// for himself.
    fn line(&self) -> Option<&Proxy> {
        None
    }

    /// Whether the server lets a connection serve one question after another.
    fn keeps_connections(&self) -> bool {
        true
    }

    /// From now on the server asks to slow down, or not any more. False: it never does.
    async fn throttle(&self, _on: bool) -> bool {
        false
    }
}

/// Entries put together as the service does it.
pub(crate) fn composed(entries: Arc<dyn Entries>) -> Arc<dyn Directory> {
    let metrics = Arc::new(Metrics::default());
    let guard = Arc::new(Guard::new("directory:test".to_owned(), Arc::clone(&metrics)));
    let deadlines = Deadlines { reads: BUDGET * 9 / 10, changes: BUDGET * 9 };
    let guarded = Arc::new(Guarded::new(entries, guard, deadlines));
    let inner = Arc::new(Coalesced::new(guarded, NonZeroUsize::new(16).unwrap()));
    Arc::new(Timed { inner, budget: BUDGET, changes: BUDGET * 10, metrics })
}

/// What a case works with.
pub(crate) struct Bench {
    pub(crate) rig: Arc<dyn Rig>,
    pub(crate) directory: Arc<dyn Directory>,
}

impl Bench {
    pub(crate) async fn new(rig: Arc<dyn Rig>) -> Self {
        let directory = rig.directory().await;
        Self { rig, directory }
    }

    /// Makes an active user with a login that nobody else has; `name` is a part of it.
    pub(super) async fn put(&self, name: &str) -> UserId {
        self.rig.put(&fresh(name)).await
    }

    pub(super) async fn put_many(&self, name: &str, count: usize) -> Vec<UserId> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(self.put(name).await);
        }
        all
    }

    pub(super) async fn granted(&self, delegator: &UserId, agent: &UserId) -> bool {
        let granted = self.directory.is_granted(delegator, agent).await.unwrap();
        let found = self.directory.delegator(&by_id(delegator), agent).await.unwrap();
        assert_eq!(found.is_some_and(|found| found.lists_agent), granted, "one question, two answers");
        granted
    }
}

/// A login that is used once in this process and, with its number, in no other.
pub(super) fn fresh(name: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{name}-{}-{}@example.com", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(super) fn by_id(id: &UserId) -> UserRef {
    UserRef::Id(id.clone())
}

pub(super) fn by_login(login: &str) -> UserRef {
    UserRef::Login(Login::parse(login).unwrap())
}

/// Every letter in the other case.
pub(super) fn swapped(text: &str) -> String {
    let swap = |c: char| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    text.chars().map(swap).collect()
}

/// Runs every case over one rig, each as a test of its own. `make` gives the rig, or `None` where the server can't be
/// had, which it has said then.
macro_rules! directory_contract {
    ($name:ident, $make:path) => {
        mod $name {
            $crate::contract::directories::directory_contract! { @each $make;
                people::a_user_is_found_by_id_and_by_login,
                people::nobody_is_nobody,
                people::what_differs_by_case_alone_is_another,
                people::a_suspended_user_is_not_active,
                people::a_deleted_user_is_gone,
                people::groups_are_told_by_id,
                groups::members_are_told_by_id,
                groups::an_empty_group_is_there_and_has_nobody,
                groups::a_group_that_is_not_there_is_none,
                groups::no_more_members_than_asked_for_and_the_others_are_mentioned,
                groups::more_than_a_page_of_members,
                groups::who_leaves_or_goes_is_no_member,
                groups::odd_ids_name_no_group,
                odd::odd_logins_name_their_users_and_no_other,
                odd::what_looks_like_a_query_finds_nobody,
                odd::a_list_of_five_hundred,
                grants::a_grant_comes_and_goes,
                grants::a_grant_goes_one_way,
                grants::grants_of_a_deleted_agent_can_be_removed,
                grants::a_deleted_delegator_grants_nothing,
                grants::nobody_is_his_own_agent,
                grants::a_user_who_is_not_there_gets_no_agent,
                parallel::forty_adds_at_once_lose_nothing,
                parallel::adds_and_removes_at_once_lose_nothing,
                parallel::the_same_grant_at_once_is_listed_once,
                parallel::a_removal_is_seen_by_who_asks_after_it,
                faults::down_is_unavailable_and_over_by_itself,
                faults::half_down_is_unavailable_in_time,
                faults::slow_is_waited_for_up_to_the_deadline,
                faults::garbage_is_no_answer,
                faults::connections_that_are_cut_are_made_again,
                faults::who_throttles_is_told_apart_and_over_by_itself,
            }
        }
    };
    (@each $make:path; $($room:ident::$case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                use $crate::contract::directories;
                let Some(rig) = $make().await else { return };
                directories::$room::$case(directories::Bench::new(rig).await).await;
            }
        )*
    };
}
pub(crate) use directory_contract;

directory_contract!(file_of_users, crate::contract::directories::embedded::rig);
directory_contract!(put_together, crate::contract::directories::embedded::put_together);
directory_contract!(fake_okta, crate::contract::directories::okta::rig);
directory_contract!(fake_okta_without_etags, crate::contract::directories::okta::without_etags);
directory_contract!(fake_okta_without_if_match, crate::contract::directories::okta::without_if_match);
directory_contract!(openldap, crate::contract::directories::ldap::openldap);
directory_contract!(heavy_389ds, crate::contract::directories::ldap::ds389);
directory_contract!(heavy_samba_ad, crate::contract::directories::ldap::samba);
directory_contract!(scim2_server, crate::contract::directories::scim::patching);
directory_contract!(scim2_server_without_patch, crate::contract::directories::scim::without_patch);
