//! Verification as a machine that is fed entry by entry and stops at the first bad one. It keeps a bounded window,
//! whatever the length of the chain.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::{Checkpoint, Digest, Entry, Keyring, SealedHead, genesis};
use crate::domain::ids::TenantName;

/// Hashes that are remembered to tell a repetition from a fork.
const WINDOW: usize = 1024;
/// Time may run back so far without being mentioned: clocks are set.
const TOLERATED: SignedDuration = SignedDuration::from_mins(5);
/// Places named where time ran back; the others are counted.
const NAMED: usize = 10;

/// What is wrong with an entry or a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Its content doesn't have the hash that stands there: something in it was changed.
    #[error("its content does not have the hash that it claims")]
    Hash,
    /// It isn't linked to the entry before it.
    #[error("its `prev` is not the hash of the entry before it")]
    Prev,
    /// It is missing; another comes in its place.
    #[error("it is missing; {0} comes in its place")]
    Missing(u64),
    /// It came before, the same.
    #[error("it comes a second time")]
    Repeated,
    /// It came before, with another hash.
    #[error("there are two entries of this number: the chain forks here")]
    Fork,
    /// Its number lies behind, too far to say more.
    #[error("its number was passed long ago")]
    Behind,
    /// The event names another tenant.
    #[error("its event belongs to another tenant")]
    Tenant,
    /// A signed checkpoint has another hash for this number.
    #[error("a checkpoint has another hash for it: the chain was made anew since, or is another one")]
    Checkpoint,
    /// A checkpoint goes beyond the end.
    #[error("a checkpoint attests it, but the log ends at {0}: its end was cut off")]
    CutOff(u64),
    /// The log ends before the end that was asked for.
    #[error("it was asked for, but the log ends at {0}")]
    Ends(u64),
    /// It was dropped, and no entry tells of it.
    #[error("it is not there any more, and no entry tells that those up to {0} were dropped")]
    Untold(u64),
    /// The checkpoint's signature is wrong.
    #[error("the checkpoint at this number is not signed by the key that it names")]
    Signature,
    /// The checkpoint's key is not believed.
    #[error("the checkpoint at this number is signed by the key {0}, which is not known")]
    UnknownKey(Digest),
}

/// The first bad entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq}: {wrong}")]
pub struct Bad {
    /// Its number.
    pub seq: u64,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// Where a chain has to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Start {
    /// At 1, or behind any checkpoint that is given: a part of an export.
    #[default]
    Attested,
    /// At 1.
    Whole,
    /// Behind this checkpoint, up to which the entries were dropped.
    Behind(Checkpoint),
}

/// What is verified.
#[derive(Clone)]
pub struct Settings {
    /// Whose chain.
    pub tenant: TenantName,
    /// Where the chain has to begin, if not at `from`.
    pub start: Start,
    /// The first number that is looked at. `None`: from its start.
    pub from: Option<u64>,
    /// The last number. `None`: to the end.
    pub to: Option<u64>,
    /// Exact repetitions pass, as sinks write them after a crash.
    pub repeats: bool,
    /// Statements to hold the chain against; those of other tenants are not looked at.
    pub checkpoints: Vec<Checkpoint>,
    /// Whose signatures count.
    pub keys: Keyring,
}

/// What was found where nothing is bad.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Entries that were checked.
    pub entries: u64,
    /// The first and the last number, if there are any.
    pub range: Option<(u64, u64)>,
    /// The hash of the last one.
    pub head: Option<Digest>,
    /// The first entry is linked to the genesis or to a signed checkpoint; else its `prev` is taken on trust.
    pub anchored: bool,
    /// The number of the checkpoint behind which it begins, where that isn't the genesis.
    pub behind: Option<u64>,
    /// An entry tells that those up to there were dropped.
    pub told: bool,
    /// Checkpoints of what lies before, which nothing was held against.
    pub earlier: u64,
    /// Checkpoints whose number was passed, whose hash fits and whose signature is good.
    pub checkpoints: u64,
    /// Repetitions that passed.
    pub repeated: u64,
    /// Numbers of entries that are more than 5 minutes older than one before them; the first ten.
    pub time_ran_back: Vec<u64>,
    /// How many there are of them.
    pub times_back: u64,
}

/// The machine.
pub struct Verifier {
    tenant: TenantName,
    start: Start,
    from: Option<u64>,
    to: Option<u64>,
    repeats: bool,
    keys: Keyring,
    checkpoints: BTreeMap<u64, Vec<Checkpoint>>,
    /// Checkpoints that fit, by keys that may still become known.
    unknown: Vec<Checkpoint>,
    head: Option<SealedHead>,
    /// The last number before the first that is looked at.
    skipped: u64,
    window: VecDeque<Digest>,
    latest: Timestamp,
    report: Report,
}

impl Verifier {
    /// Before the first entry.
    pub fn new(settings: Settings) -> Self {
        let Settings { tenant, start, from, to, repeats, checkpoints, keys } = settings;
        let mut by_seq: BTreeMap<u64, Vec<Checkpoint>> = BTreeMap::new();
        let begins = if let Start::Behind(checkpoint) = &start { Some(checkpoint.clone()) } else { None };
        let begins = begins.filter(|begins| !checkpoints.contains(begins));
        for checkpoint in checkpoints.into_iter().chain(begins).filter(|c| c.says.tenant == tenant) {
            by_seq.entry(checkpoint.says.head.seq).or_default().push(checkpoint);
        }
        Self {
            tenant,
            start,
            from,
            to,
            repeats,
            keys,
            checkpoints: by_seq,
            unknown: Vec::new(),
            head: None,
            skipped: 0,
            window: VecDeque::with_capacity(WINDOW),
            latest: Timestamp::MIN,
            report: Report::default(),
        }
    }

    /// Takes the next entry. Behind an error there is no sense in going on.
    pub fn feed(&mut self, entry: &Entry) -> Result<(), Bad> {
        let bad = |wrong| Bad { seq: entry.seq, wrong };
        if self.head.is_none() && self.from.is_some_and(|from| entry.seq < from) {
            self.skipped = entry.seq;
            return Ok(());
        }
        if self.to.is_some_and(|to| entry.seq > to) {
            return Ok(());
        }
        let head = match self.head {
            Some(head) => head,
            None => self.begin(entry)?,
        };
        if entry.seq <= head.seq {
            return self.earlier(entry, head);
        }
        if entry.seq != head.seq + 1 {
            return Err(Bad { seq: head.seq + 1, wrong: Wrong::Missing(entry.seq) });
        }
        if entry.event.tenant.as_ref().is_some_and(|tenant| *tenant != self.tenant) {
            return Err(bad(Wrong::Tenant));
        }
        if entry.prev != head.hash {
            return Err(bad(Wrong::Prev));
        }
        if entry.computed() != entry.hash {
            return Err(bad(Wrong::Hash));
        }
        self.pass(entry)
    }

    /// Settles where the chain begins, and with which hash.
    fn begin(&mut self, entry: &Entry) -> Result<SealedHead, Bad> {
        let before = entry.seq.wrapping_sub(1);
        let attested = before > 0 && self.checkpoints.contains_key(&before);
        let first = match (self.from, &self.start) {
            (Some(from), _) => from.max(1),
            (None, Start::Behind(checkpoint)) => checkpoint.says.head.seq + 1,
            (None, Start::Attested) if attested => entry.seq,
            (None, _) => 1,
        };
        if entry.seq != first {
            return Err(match entry.seq {
                0 => Bad { seq: 0, wrong: Wrong::Behind },
                other => Bad { seq: first, wrong: Wrong::Missing(other) },
            });
        }
        let prev = if first == 1 { genesis(&self.tenant) } else { entry.prev };
        self.begin_behind(SealedHead { seq: before, hash: prev }, first == 1 || attested)
    }

    /// What lies before is not looked at, neither are the checkpoints there.
    fn begin_behind(&mut self, head: SealedHead, anchored: bool) -> Result<SealedHead, Bad> {
        let here = self.checkpoints.split_off(&head.seq);
        let earlier = std::mem::replace(&mut self.checkpoints, here);
        self.report.earlier = earlier.values().map(|list| list.len() as u64).sum();
        self.report.anchored = anchored;
        self.report.behind = (anchored && head.seq > 0).then_some(head.seq);
        self.hold(head)?;
        Ok(head)
    }

    fn earlier(&mut self, entry: &Entry, head: SealedHead) -> Result<(), Bad> {
        let back = usize::try_from(head.seq - entry.seq).unwrap_or(usize::MAX);
        let known = self.window.len().checked_sub(back.saturating_add(1)).and_then(|at| self.window.get(at));
        let wrong = match known {
            None => Wrong::Behind,
            // The claimed hash may be a copy; what counts is the content's.
            Some(hash) if *hash == entry.hash && entry.computed() == entry.hash => Wrong::Repeated,
            Some(_) => Wrong::Fork,
        };
        if self.repeats && wrong == Wrong::Repeated {
            self.report.repeated += 1;
            return Ok(());
        }
        Err(Bad { seq: entry.seq, wrong })
    }

    fn pass(&mut self, entry: &Entry) -> Result<(), Bad> {
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(entry.hash);
        if let Some(rotation) = &entry.event.rotation {
            self.keys.learn(&self.tenant, rotation);
        }
        if let Some(time) = entry.event.time {
            if self.latest.duration_since(time) > TOLERATED {
                self.report.times_back += 1;
                if self.report.time_ran_back.len() < NAMED {
                    self.report.time_ran_back.push(entry.seq);
                }
            }
            self.latest = self.latest.max(time);
        }
        self.report.told |= self.report.behind.is_some() && entry.event.trimmed == self.report.behind;
        self.report.entries += 1;
        let first = self.report.range.map_or(entry.seq, |(first, _)| first);
        self.report.range = Some((first, entry.seq));
        self.report.head = Some(entry.hash);
        self.head = Some(entry.head());
        self.hold(entry.head())
    }

    /// Holds the head against the checkpoints of its number.
    fn hold(&mut self, head: SealedHead) -> Result<(), Bad> {
        let bad = |wrong| Err(Bad { seq: head.seq, wrong });
        for checkpoint in self.checkpoints.remove(&head.seq).unwrap_or_default() {
            match self.signed(&checkpoint) {
                Some(false) => return bad(Wrong::Signature),
                _ if checkpoint.says.head.hash != head.hash => return bad(Wrong::Checkpoint),
                Some(true) => self.report.checkpoints += 1,
                None => self.unknown.push(checkpoint),
            }
        }
        Ok(())
    }

    fn signed(&self, checkpoint: &Checkpoint) -> Option<bool> {
        let Ok(message) = checkpoint.says.message() else { return Some(false) };
        self.keys.check(&checkpoint.says.key, &message, &checkpoint.signature)
    }

    /// After the last entry.
    pub fn finish(mut self) -> Result<Report, Bad> {
        let last = match self.head {
            Some(head) => head.seq,
            None if self.from.is_some_and(|from| from > 1) => {
                let seq = self.from.unwrap_or(1);
                return Err(Bad { seq, wrong: Wrong::Ends(self.skipped) });
            }
            // An empty log is a chain, too: its head is the genesis, or where it begins.
            None => {
                let head = match &self.start {
                    Start::Behind(checkpoint) => checkpoint.says.head,
                    _ => SealedHead::genesis(&self.tenant),
                };
                self.begin_behind(head, true)?.seq
            }
        };
        if let Some(to) = self.to.filter(|to| *to > last) {
            return Err(Bad { seq: to, wrong: Wrong::Ends(last) });
        }
        for checkpoint in std::mem::take(&mut self.unknown) {
            let says = &checkpoint.says;
            match self.signed(&checkpoint) {
                Some(true) => self.report.checkpoints += 1,
                Some(false) => return Err(Bad { seq: says.head.seq, wrong: Wrong::Signature }),
                None => return Err(Bad { seq: says.head.seq, wrong: Wrong::UnknownKey(says.key) }),
            }
        }
        let mut beyond = self.checkpoints.range(last.saturating_add(1)..).flat_map(|(_, list)| list);
        if self.to.is_none()
            && let Some(checkpoint) = beyond.next()
        {
            let seq = checkpoint.says.head.seq;
            let wrong = match self.signed(checkpoint) {
                Some(true) => Wrong::CutOff(last),
                Some(false) => Wrong::Signature,
                None => Wrong::UnknownKey(checkpoint.says.key),
            };
            return Err(Bad { seq, wrong });
        }
        Ok(self.report)
    }
}
