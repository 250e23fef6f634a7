//! One user on his way: ask, be approved, begin, hook, the same hook again, another hook; then begin once more with the
//! same approval, and ask anew when that is used up.
//!
//! A step whose answer didn't come is done again, with the same words; that must always get him on.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::rig::{BOSS, account};
use crate::{
    durability::rig::{Caller, Told, disturbed},
    support::process::until,
};

/// How often an approval may be used.
pub(super) const USES: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The initiation that has to wait for an approval.
    Ask,
    Vote,
    /// The initiation that holds the account and gives the id.
    Begin,
    Hook,
    /// The same hook again, byte for byte.
    Repeat,
    /// Another hook with the same id.
    Other,
}

impl Step {
    pub(super) const ALL: [Self; 6] = [Self::Ask, Self::Vote, Self::Begin, Self::Hook, Self::Repeat, Self::Other];
}

/// When the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Soon after the step was sent.
    Sent,
    /// After its answer, and before the next one is sent.
    Answered,
}

/// Says when the process is to be killed: at a step of whoever comes to it first, after so many others.
pub(super) struct Trap {
    step: Step,
    moment: Moment,
    before: AtomicUsize,
    pub(super) sprung: Notify,
}

impl Trap {
    pub(super) fn new(step: Step, moment: Moment, before: usize) -> Arc<Self> {
        Arc::new(Self { step, moment, before: AtomicUsize::new(before), sprung: Notify::new() })
    }

    /// The moment, if it is this step's turn. Of all calls, one gets it.
    fn catches(&self, step: Step) -> Option<Moment> {
        if step != self.step {
            return None;
        }
        let before = self.before.fetch_update(SeqCst, SeqCst, |left| Some(left.wrapping_sub(1)));
        (before == Ok(0)).then_some(self.moment)
    }
}

/// The process is gone.
#[derive(Debug)]
pub(super) struct Gone;

/// What he was told, to be compared with the trail.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    pub(super) asked: Vec<String>,
    pub(super) approved: Vec<String>,
    /// Reference of the delegation, and its approval.
    pub(super) begun: Vec<(String, String)>,
    /// The hook's event id, and the delegation's reference.
    pub(super) granted: Vec<(String, String)>,
}

/// A delegation that was begun, and its hook.
#[derive(Debug, Clone, Default)]
struct Begun {
    reference: String,
    id: String,
    event: String,
    hook: String,
    answer: String,
}

#[derive(Debug)]
pub(super) struct Flow {
    pub(super) agent: usize,
    /// What he does next.
    pub(super) step: Step,
    /// He tried it before, and doesn't know what became of it.
    pub(super) doubt: bool,
    approval: Option<String>,
    uses: usize,
    begun: Begun,
    pub(super) told: Acknowledged,
}

impl Flow {
    pub(super) fn new(agent: usize) -> Self {
        let (approval, begun, told) = (None, Begun::default(), Acknowledged::default());
        Self { agent, step: Step::Ask, doubt: false, approval, uses: 0, begun, told }
    }

    /// On and on, until the process is gone or the trap has caught him.
    pub(super) async fn run(mut self, caller: Caller, trap: Arc<Trap>) -> Self {
        loop {
            let caught = trap.catches(self.step);
            if caught == Some(Moment::Sent) {
                let (done, ()) = tokio::join!(self.take(&caller), async { trap.sprung.notify_one() });
                if done.is_err() {
                    return self;
                }
            } else if self.get_on(&caller).await.is_err() {
                return self;
            }
            if caught == Some(Moment::Answered) {
                trap.sprung.notify_one();
                return self;
            }
        }
    }

    /// Until the approval is used up.
    pub(super) async fn finish(&mut self, caller: &Caller) {
        self.get_on(caller).await.unwrap();
        while self.step != Step::Ask {
            self.get_on(caller).await.unwrap();
        }
    }

    pub(super) async fn go_to(&mut self, step: Step, caller: &Caller) {
        while self.step != step {
            self.get_on(caller).await.unwrap();
        }
    }

    /// What he began has ended: he asks anew, and must be given another approval.
    pub(super) fn start_over(&mut self) {
        (self.step, self.uses) = (Step::Ask, 0);
    }

    /// The next step; where the machine is so busy that the budgets run out, again.
    async fn get_on(&mut self, caller: &Caller) -> Result<(), Gone> {
        while !self.take(caller).await? {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// One try of the next step; false: the service hadn't the time to tell.
    pub(super) async fn take(&mut self, caller: &Caller) -> Result<bool, Gone> {
        let again = std::mem::replace(&mut self.doubt, true);
        let done = match self.step {
            Step::Ask => self.ask(caller).await?,
            Step::Vote => self.vote(caller, again).await?,
            Step::Begin => self.begin(caller).await?,
            Step::Hook | Step::Repeat => self.hook(caller).await?,
            Step::Other => self.other(caller).await?,
        };
        if done {
            self.step = self.next();
            self.doubt = false;
        }
        Ok(done)
    }

    fn next(&mut self) -> Step {
        match self.step {
            Step::Ask => Step::Vote,
            Step::Vote => Step::Begin,
            Step::Begin => Step::Hook,
            Step::Hook => Step::Repeat,
            Step::Repeat => Step::Other,
            Step::Other => {
                self.uses = (self.uses + 1) % USES;
                if self.uses == 0 { Step::Ask } else { Step::Begin }
            }
        }
    }

    async fn initiate(&self, caller: &Caller) -> Result<(StatusCode, Value), Gone> {
        let body = json!({"delegator": account(self.agent), "reason": "invoices"});
        caller.call(Method::POST, "/v1/delegations", self.agent, Some(body)).await.ok_or(Gone)
    }

    async fn ask(&mut self, caller: &Caller) -> Result<bool, Gone> {
        let (status, body) = self.initiate(caller).await?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Ok(false);
        }
        assert_eq!(status, StatusCode::ACCEPTED, "{self:?}: {body}");
        let id = text(&body["approval"]["id"]);
        assert!(!self.told.asked.contains(&id), "{self:?}: one that is over was found again: {id}");
        self.told.asked.push(id.clone());
        self.approval = Some(id);
        Ok(true)
    }

    async fn vote(&mut self, caller: &Caller, again: bool) -> Result<bool, Gone> {
        let id = self.approval.clone().unwrap();
        let (path, body) = (format!("/v1/approvals/{id}/votes"), json!({"decision": "approve", "version": 1}));
        let (status, said) = caller.call(Method::POST, &path, BOSS, Some(body)).await.ok_or(Gone)?;
        match status.as_u16() {
            503 => return Ok(false),
            200 => {}
            // The first one counted.
            409 if again && said["state"] == "APPROVED" => {}
            _ => panic!("{self:?}: {status} {said}"),
        }
        self.told.approved.push(id);
        Ok(true)
    }

    async fn begin(&mut self, caller: &Caller) -> Result<bool, Gone> {
        let (status, body) = self.initiate(caller).await?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Ok(false);
        }
        assert_eq!(status, StatusCode::CREATED, "{self:?}: {body}");
        let (id, reference) = (text(&body["delegationid"]), text(&body["reference"]));
        self.told.begun.push((reference.clone(), self.approval.clone().unwrap()));
        let event = format!("{}-{}", self.agent, self.told.begun.len());
        let hook = caller.hook(self.agent, &event, Some(&id));
        self.begun = Begun { reference, id, event, hook, answer: String::new() };
        Ok(true)
    }

    async fn hook(&mut self, caller: &Caller) -> Result<bool, Gone> {
        let answer = match caller.deliver(&self.begun.hook).await {
            Told::Granted(answer) => answer,
            Told::Lost => return Err(Gone),
            told if disturbed(&told) => return Ok(false),
            told => panic!("{self:?}: {told:?}"),
        };
        if self.step == Step::Hook {
            self.told.granted.push((self.begun.event.clone(), self.begun.reference.clone()));
            self.begun.answer = answer;
        } else {
            assert_eq!(answer, self.begun.answer, "the same bytes");
        }
        Ok(true)
    }

    async fn other(&mut self, caller: &Caller) -> Result<bool, Gone> {
        let other = caller.hook(self.agent, &format!("{}-other", self.begun.event), Some(&self.begun.id));
        match caller.deliver(&other).await {
            Told::Refused(why) if why.ends_with("(delegation-not-usable)") => Ok(true),
            Told::Lost => Err(Gone),
            told if disturbed(&told) => Ok(false),
            told => panic!("{self:?}: used twice: {told:?}"),
        }
    }

    /// Whether all that he was told is there. `Some`: whether what he doesn't know of was done.
    pub(super) async fn stands(&self, caller: &Caller) -> Option<bool> {
        let id = self.approval.as_ref()?;
        let approval = look(caller, &format!("/v1/approvals/{id}"), self.agent).await;
        let page = look(caller, "/v1/reservations", self.agent).await;
        let uses = usize::try_from(approval["uses"].as_u64().unwrap()).unwrap();
        let held = page["items"][0]["state"].as_str().unwrap_or("NONE");
        let there = (approval["state"].as_str().unwrap(), uses, held == "HELD");
        let after = |uses: usize, held| (["APPROVED", "ACTIVE", "ENDED"][uses], uses, held);
        let (known, unknown) = match self.step {
            Step::Ask => (after(USES, false), after(USES, false)),
            Step::Vote => (("PENDING", 0, false), after(0, false)),
            Step::Begin => (after(self.uses, false), after(self.uses, true)),
            Step::Hook => (after(self.uses, true), after(self.uses + 1, false)),
            Step::Repeat | Step::Other => (after(self.uses + 1, false), after(self.uses + 1, false)),
        };
        assert!(there == known || self.doubt && there == unknown, "{self:?}: {there:?}");
        (self.doubt && known != unknown).then_some(there == unknown)
    }

    /// The approval's state.
    pub(super) async fn state(&self, caller: &Caller) -> String {
        let id = self.approval.as_ref().unwrap();
        text(&look(caller, &format!("/v1/approvals/{id}"), self.agent).await["state"])
    }
}

/// What is under a path; asked for again while the machine is too busy to tell.
async fn look(caller: &Caller, path: &str, who: usize) -> Value {
    until(path, async || match caller.call(Method::GET, path, who, None).await.unwrap() {
        (StatusCode::OK, body) => Some(body),
        (StatusCode::SERVICE_UNAVAILABLE, _) => None,
        other => panic!("{path}: {other:?}"),
    })
    .await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
