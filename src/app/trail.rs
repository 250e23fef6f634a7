//! Verifies lines of an exported trail, of one tenant or of several in one file.

use std::collections::BTreeMap;

use crate::domain::{
    chain::{Bad, Checkpoint, Entry, FormError, Keyring, Report, Settings, Start, Verifier},
    ids::TenantName,
};

/// What is asked.
#[derive(Clone)]
pub struct Question {
    /// Only this tenant's entries; `None`: those of every tenant that comes along.
    pub tenant: Option<TenantName>,
    /// See [`Settings::start`].
    pub start: Start,
    /// See [`Settings::from`].
    pub from: Option<u64>,
    /// See [`Settings::to`].
    pub to: Option<u64>,
    /// See [`Settings::repeats`].
    pub repeats: bool,
    /// See [`Settings::checkpoints`].
    pub checkpoints: Vec<Checkpoint>,
    /// See [`Settings::keys`].
    pub keys: Keyring,
}

/// The first thing that is bad.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line is no entry.
    #[error("line {line} {why}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        why: FormError,
    },
    /// A line's event doesn't say whose it is.
    #[error("line {line} names no tenant")]
    Nobody {
        /// Counted from 1.
        line: u64,
    },
    /// An entry is not what it was, or not where it was.
    #[error("line {line}, tenant {tenant}, {bad}")]
    Entry {
        /// Counted from 1.
        line: u64,
        /// Whose chain.
        tenant: TenantName,
        /// Which entry, and what is wrong.
        bad: Bad,
    },
    /// Seen behind the last line.
    #[error("tenant {tenant}, {bad}")]
    End {
        /// Whose chain.
        tenant: TenantName,
        /// Which entry, and what is wrong.
        bad: Bad,
    },
}

/// Takes line after line.
pub struct Trail {
    question: Question,
    verifiers: BTreeMap<TenantName, Verifier>,
    line: u64,
}

impl Trail {
    /// Before the first line. A tenant that is named, here or by a checkpoint, is missed if it doesn't come.
    pub fn new(question: Question) -> Self {
        let attested = question.checkpoints.iter().map(|checkpoint| &checkpoint.says.tenant);
        let named: Vec<TenantName> = attested.chain(&question.tenant).cloned().collect();
        let mut trail = Self { question, verifiers: BTreeMap::new(), line: 0 };
        for tenant in named {
            trail.verifier(&tenant);
        }
        trail
    }

    /// True if it is this tenant's turn to be verified.
    fn concerns(&self, tenant: &TenantName) -> bool {
        self.question.tenant.as_ref().is_none_or(|only| only == tenant)
    }

    fn verifier(&mut self, tenant: &TenantName) -> Option<&mut Verifier> {
        if !self.concerns(tenant) {
            return None;
        }
        let Question { start, from, to, repeats, checkpoints, keys, .. } = &self.question;
        let verifier = self.verifiers.entry(tenant.clone()).or_insert_with(|| {
            let (checkpoints, keys) = (checkpoints.clone(), keys.clone());
            Verifier::new(Settings {
                tenant: tenant.clone(),
                start: start.clone(),
                from: *from,
                to: *to,
                repeats: *repeats,
                checkpoints,
                keys,
            })
        });
        Some(verifier)
    }

    /// Takes a line, without its end.
    pub fn line(&mut self, text: &str) -> Result<(), Fault> {
        let entry = Entry::parse(text).map_err(|why| Fault::Line { line: self.line + 1, why })?;
        self.entry(&entry)
    }

    /// Takes an entry in place of its line.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.line += 1;
        let line = self.line;
        let Some(tenant) = entry.event.tenant.as_ref() else { return Err(Fault::Nobody { line }) };
        let Some(verifier) = self.verifier(tenant) else { return Ok(()) };
        verifier.feed(entry).map_err(|bad| Fault::Entry { line, tenant: tenant.clone(), bad })
    }

    /// After the last line: what was found for each tenant.
    pub fn finish(self) -> Result<BTreeMap<TenantName, Report>, Fault> {
        let finish = |(tenant, verifier): (TenantName, Verifier)| match verifier.finish() {
            Ok(report) => Ok((tenant, report)),
            Err(bad) => Err(Fault::End { tenant, bad }),
        };
        self.verifiers.into_iter().map(finish).collect()
    }
}
