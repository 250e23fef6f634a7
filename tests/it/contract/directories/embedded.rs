//! The directories that need no server: the file of users, and entries in memory behind the decorators.

use std::{
    fmt::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use behalf::{
    adapters::{directory::embedded::EmbeddedDirectory, system::OsEntropy},
    domain::{
        ids::{GroupId, TenantName, UserId},
        user::Status,
    },
    ports::{
        clock::ManualClock,
        directory::{Directory, DirectoryError},
        store::Store,
    },
};
use tempfile::TempDir;

use super::{Rig, composed, fresh};
use crate::support::{
    fake_directory::{self, FakeDirectory},
    model_store::ModelStore,
};

struct Line {
    id: UserId,
    login: String,
    active: bool,
    groups: Vec<GroupId>,
}

/// Processes that read one file and share one store.
struct File {
    folder: TempDir,
    store: Arc<dyn Store>,
    lines: Mutex<Vec<Line>>,
    processes: Mutex<Vec<Arc<EmbeddedDirectory>>>,
}

#[expect(clippy::unused_async, reason = "others have a server to start")]
pub(super) async fn rig() -> Option<Arc<dyn Rig>> {
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let store = Arc::new(ModelStore::new(Arc::new(ManualClock::at(now))));
    let file =
        File { folder: tempfile::tempdir().unwrap(), store, lines: Mutex::default(), processes: Mutex::default() };
    file.write();
    Some(Arc::new(file))
}

fn new_id() -> UserId {
    UserId::parse(&fresh("00uId").replace("@example.com", "x")).unwrap()
}

impl File {
    fn path(&self) -> PathBuf {
        self.folder.path().join("users.yaml")
    }

    fn write(&self) {
        let mut text = "users:\n".to_owned();
        for Line { id, login, active, groups } in &*self.lines.lock().unwrap() {
            let status = if *active { "active" } else { "suspended" };
            let (login, groups) = (serde_json::to_string(login).unwrap(), serde_json::to_string(groups).unwrap());
            writeln!(text, "  - {{ id: {id}, login: {login}, status: {status}, groups: {groups} }}").unwrap();
        }
        if self.lines.lock().unwrap().is_empty() {
            "users: []\n".clone_into(&mut text);
        }
        std::fs::write(self.path(), text).unwrap();
    }

    async fn change(&self, change: impl FnOnce(&mut Vec<Line>)) {
        change(&mut self.lines.lock().unwrap());
        self.write();
        let processes = self.processes.lock().unwrap().clone();
        for process in processes {
            process.reload_now().await.unwrap();
        }
    }
}

#[async_trait]
impl Rig for File {
    async fn directory(&self) -> Arc<dyn Directory> {
        let tenant = TenantName::default_tenant();
        let opened = EmbeddedDirectory::open(&self.path(), tenant, Arc::clone(&self.store), Arc::new(OsEntropy));
        let directory = Arc::new(opened.unwrap());
        self.processes.lock().unwrap().push(Arc::clone(&directory));
        directory
    }

    async fn put(&self, login: &str) -> UserId {
        let (id, login) = (new_id(), login.to_owned());
        let line = Line { id: id.clone(), login, active: true, groups: Vec::new() };
        self.change(|lines| lines.push(line)).await;
        id
    }

    async fn suspend(&self, user: &UserId) {
        self.change(|lines| lines.iter_mut().filter(|line| line.id == *user).for_each(|line| line.active = false))
            .await;
    }

    async fn delete(&self, user: &UserId) {
        self.change(|lines| lines.retain(|line| line.id != *user)).await;
    }

    /// A group is what users are in.
    async fn group(&self, members: &[UserId]) -> Option<GroupId> {
        if members.is_empty() {
            return None;
        }
        let group = GroupId::parse(&fresh("group")).unwrap();
        let join = |line: &mut Line| {
            if members.contains(&line.id) {
                line.groups.push(group.clone());
            }
        };
        self.change(|lines| lines.iter_mut().for_each(join)).await;
        Some(group)
    }

    fn nobodys_group(&self) -> GroupId {
        GroupId::parse(&fresh("group")).unwrap()
    }

    /// The whole file is written for each.
    fn crowd(&self) -> usize {
        40
    }

    /// Grants are the connector's own: there is no way past it, and agents have to be users.
    async fn list(&self, delegator: &UserId, agents: &[UserId]) {
        let unknown = |id: &UserId| Line { id: id.clone(), login: fresh("agent"), active: true, groups: Vec::new() };
        self.change(|lines| {
            let new: Vec<_> =
                agents.iter().filter(|id| lines.iter().all(|line| line.id != **id)).map(unknown).collect();
            lines.extend(new);
        })
        .await;
        let directory = self.directory().await;
        for agent in agents {
            directory.add_grant(delegator, agent).await.unwrap();
        }
    }
}

/// Entries in memory.
struct Memory(Arc<FakeDirectory>);

#[expect(clippy::unused_async, reason = "others have a server to start")]
pub(super) async fn put_together() -> Option<Arc<dyn Rig>> {
    Some(Arc::new(Memory(Arc::default())))
}

#[async_trait]
impl Rig for Memory {
    async fn directory(&self) -> Arc<dyn Directory> {
        composed(Arc::clone(&self.0) as _)
    }

    async fn put(&self, login: &str) -> UserId {
        let id = new_id();
        self.0.put(fake_directory::user(id.as_str(), login, Status::Active));
        id
    }

    async fn suspend(&self, user: &UserId) {
        self.0.suspend(user.as_str());
    }

    async fn delete(&self, user: &UserId) {
        self.0.take(user.as_str());
    }

    async fn group(&self, members: &[UserId]) -> Option<GroupId> {
        let group = GroupId::parse(&fresh("group")).unwrap();
        self.0.put_group(group.as_str());
        for member in members {
            self.0.join(member, &group);
        }
        Some(group)
    }

    fn nobodys_group(&self) -> GroupId {
        GroupId::parse(&fresh("group")).unwrap()
    }

    async fn list(&self, delegator: &UserId, agents: &[UserId]) {
        for agent in agents {
            self.0.set_grant(delegator, agent, true);
        }
    }

    async fn throttle(&self, on: bool) -> bool {
        self.0.fail_all(on.then_some(DirectoryError::Throttled { until: None }));
        true
    }
}
