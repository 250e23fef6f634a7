//! Verifies evidence without asking anybody. Everything is recomputed; the first thing that is wrong is named.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Choice, Signed, Vote,
    evidence::{COUNTERSIGNATURE_TYP, Evidence, SERVICE_ALG, Subject, TYP, countersigned},
    jwk::{Jwk, Kid},
    request::{BindingError, Request, digest_of},
    signature::{Fault, MOST_SECONDS, Nonce, Statement, Times, meaning, verify_detached, was_fresh},
    template::{Kind, SignatureLevel, Template},
};
use crate::domain::{canonical::canonical, chain::PublicKey, delegation::Party, ids::UserId, jws::Jws};

/// States that somebody's yes leads to.
const DECIDED: [&str; 5] = ["APPROVED", "ACTIVE", "ENDED", "REVOKED", "UNUSED_EXPIRED"];
/// States without a decision.
const UNDECIDED: [&str; 3] = ["PENDING", "EXPIRED", "WITHDRAWN"];

/// What the verifier believes, from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The service's keys; `None`: those of the document itself are taken.
    pub service: Option<Vec<PublicKey>>,
    /// Keys of approvers.
    pub approvers: BTreeMap<UserId, BTreeSet<Kid>>,
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The document is no evidence, or has something besides.
    #[error("the document is not evidence in its one form: {0}")]
    Form(String),
    /// The request isn't canonical.
    #[error("{0}")]
    Binding(#[from] BindingError),
    /// The request is another one than the document says.
    #[error("the request's {0} is not the document's")]
    Mismatch(&'static str),
    /// Something about one vote.
    #[error("the vote of {0}: {1}")]
    Vote(String, WrongVote),
    /// The votes don't lead to the state.
    #[error("the state {state} does not follow from the votes: {votes}")]
    State {
        /// The state that is claimed.
        state: String,
        /// What the votes come to.
        votes: String,
    },
}

/// What is wrong with a vote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongVote {
    /// Nobody approves his own request.
    #[error("the requester can't decide about his own request")]
    Requester,
    /// The delegator's doesn't count.
    #[error("the delegator can't decide here")]
    Delegator,
    /// One person counts once.
    #[error("the same person voted before")]
    Twice,
    /// The template names users, and not him.
    #[error("the template doesn't name him")]
    NotNamed,
    /// Before the request, or after its end.
    #[error("it was given outside the time for it")]
    Time,
    /// The template wants a signature of another level, or one at all.
    #[error("the template wants a signature of another level, or one at all")]
    Level,
    /// The signature.
    #[error("{0}")]
    Signature(#[from] Fault),
    /// What was signed isn't the statement about this decision.
    #[error("what was signed is not the statement about this decision")]
    Payload,
    /// The statement was good for too long, or not then.
    #[error("the statement was not good at the time of the vote, or for more than five minutes")]
    Statement,
    /// Another key than the one that is known of him.
    #[error("it is signed with the key {0}, which is none of those that are known of him")]
    OtherKey(Kid),
    /// The service's signature is missing.
    #[error("the service's signature is missing")]
    NotCountersigned,
    /// A key that isn't believed.
    #[error("the service's signature is by the key {0}, which is not known")]
    ServiceKey(String),
    /// It doesn't verify, or says something else.
    #[error("the service's signature does not verify, or says something else")]
    Countersignature,
}

/// What the evidence proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The request.
    pub request: Request,
    /// Where it stands, as the service says.
    pub state: String,
    /// What the votes come to.
    pub outcome: Outcome,
    /// The votes, in their order.
    pub votes: Vec<Checked>,
    /// True if the service's keys are the document's own.
    pub own_word: bool,
}

/// What the votes come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Enough people said yes.
    Approved {
        /// How many.
        votes: usize,
        /// How many it takes.
        quorum: usize,
    },
    /// Somebody said no.
    Denied,
    /// The votes were skipped.
    BreakGlass,
    /// Nothing yet, or never.
    Undecided,
}

/// A vote that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Whose.
    pub by: Party,
    /// What he said.
    pub choice: Choice,
    /// How he signed.
    pub level: Option<SignatureLevel>,
    /// With which key, and whether it is known from elsewhere to be his.
    pub key: Option<(Kid, bool)>,
    /// True if he is named himself, and not through a group.
    pub named: bool,
    /// The audit event that tells of it.
    pub event: String,
}

/// Recomputes everything in a document.
pub fn verify(text: &str, trust: &Trust) -> Result<Report, Wrong> {
    let unreadable = |error: serde_json::Error| Wrong::Form(error.to_string());
    let evidence: Evidence = serde_json::from_str(text).map_err(unreadable)?;
    // What isn't read must not be there: another reader might believe it.
    let (raw, read): (Value, Value) =
        (serde_json::from_str(text).map_err(unreadable)?, serde_json::to_value(&evidence).map_err(unreadable)?);
    if raw != read || evidence.typ != TYP || evidence.v != 1 {
        return Err(Wrong::Form("it has other fields, or another version".to_owned()));
    }
    let template: Template = serde_json::from_value(evidence.template.clone()).map_err(unreadable)?;
    let request = request(&evidence)?;
    let keys = match &trust.service {
        Some(keys) => keys.clone(),
        None => evidence.keys.keys.iter().map(|key| key.x).collect(),
    };
    let mut votes: Vec<Checked> = Vec::new();
    for vote in &evidence.votes {
        let wrong = |what| Wrong::Vote(vote.by.id.to_string(), what);
        let checked = Check { evidence: &evidence, template: &template, request: &request, vote, keys: &keys, trust };
        let checked = checked.run(&votes).map_err(wrong)?;
        votes.push(checked);
    }
    let outcome = outcome(&evidence, &template)?;
    Ok(Report { request, state: evidence.state, outcome, votes, own_word: trust.service.is_none() })
}

fn request(evidence: &Evidence) -> Result<Request, Wrong> {
    let (request, digest) = Request::read(&evidence.binding)?;
    let template = canonical(&evidence.template).map_err(BindingError::from)?;
    let same = [
        ("digest", digest == evidence.request_digest),
        ("tenant", request.tenant == evidence.tenant),
        ("request_id", request.request_id == evidence.approval.to_string()),
        ("request_version", request.request_version == u64::from(evidence.version)),
        ("template", request.template.digest == digest_of(&template)),
    ];
    match same.iter().find(|(_, is_same)| !is_same) {
        Some((what, _)) => Err(Wrong::Mismatch(what)),
        None => Ok(request),
    }
}

fn outcome(evidence: &Evidence, template: &Template) -> Result<Outcome, Wrong> {
    let quorum = usize::from(template.quorum);
    let no = evidence.votes.iter().any(|vote| vote.choice == Choice::Deny);
    let votes = evidence.votes.iter().filter(|vote| vote.choice == Choice::Approve).count();
    let enough = quorum > 0 && votes >= quorum;
    let (outcome, states): (_, &[&str]) = if no {
        (Outcome::Denied, &["DENIED"])
    } else if enough {
        (Outcome::Approved { votes, quorum }, &DECIDED)
    } else if evidence.break_glass.is_some() {
        (Outcome::BreakGlass, &DECIDED)
    } else {
        (Outcome::Undecided, &UNDECIDED)
    };
    if states.contains(&evidence.state.as_str()) {
        return Ok(outcome);
    }
    let votes = if no { "somebody said no".to_owned() } else { format!("{votes} of {quorum} said yes") };
    Err(Wrong::State { state: evidence.state.clone(), votes })
}

struct Check<'a> {
    evidence: &'a Evidence,
    template: &'a Template,
    request: &'a Request,
    vote: &'a Vote,
    keys: &'a [PublicKey],
    trust: &'a Trust,
}

impl Check<'_> {
    fn run(&self, before: &[Checked]) -> Result<Checked, WrongVote> {
        let named = self.person(before)?;
        if !(self.request.not_before..self.request.expires_at).contains(&self.vote.at) {
            return Err(WrongVote::Time);
        }
        let template = self.template;
        let level = self.vote.signed.as_ref().map(Signed::level);
        let fits = level.map_or(template.kind == Kind::Approve, |level| template.signatures.contains(&level));
        if !fits && template.kind == Kind::SignAndApprove {
            return Err(WrongVote::Level);
        }
        let key = self.vote.signed.as_ref().map(|signed| self.signature(signed)).transpose()?.flatten();
        let event = self.countersignature()?;
        Ok(Checked { by: self.vote.by.clone(), choice: self.vote.choice, level, key, named, event })
    }

    /// Whether he may have voted; true if he is named himself.
    fn person(&self, before: &[Checked]) -> Result<bool, WrongVote> {
        let (by, template) = (&self.vote.by, self.template);
        if same_person(by, &self.request.requester) {
            return Err(WrongVote::Requester);
        }
        if !template.delegator_may_approve && same_person(by, &self.request.subject) {
            return Err(WrongVote::Delegator);
        }
        if before.iter().any(|vote| same_person(&vote.by, by)) {
            return Err(WrongVote::Twice);
        }
        let named = template.users().any(|user| *user == by.id);
        if !named && template.groups().next().is_none() {
            return Err(WrongVote::NotNamed);
        }
        Ok(named)
    }

    fn signature(&self, signed: &Signed) -> Result<Option<(Kid, bool)>, WrongVote> {
        match signed {
            Signed::Typed { digest, meaning: meant, auth_time, .. } => {
                if *digest != self.evidence.request_digest {
                    return Err(Fault::DigestMismatch.into());
                }
                if meant != meaning(self.vote.choice) {
                    return Err(Fault::MeaningDiffers.into());
                }
                if was_fresh(*auth_time, self.vote.at) { Ok(None) } else { Err(Fault::NotFresh.into()) }
            }
            Signed::Jws { nonce, kid, key, payload, jws, .. } => {
                if key.kid() != *kid {
                    return Err(Fault::KeyUnknown.into());
                }
                self.statement(payload, nonce)?;
                verify_detached(jws, key, &kid.to_string(), payload)?;
                let known = self.trust.approvers.get(&self.vote.by.id);
                match known {
                    Some(known) if !known.contains(kid) => Err(WrongVote::OtherKey(*kid)),
                    known => Ok(Some((*kid, known.is_some()))),
                }
            }
        }
    }

    /// The statement is rebuilt from the request and the vote; of what was signed only the times are read.
    fn statement(&self, payload: &str, nonce: &Nonce) -> Result<(), WrongVote> {
        let Times { iat, exp } = serde_json::from_str(payload).map_err(|_| WrongVote::Payload)?;
        let second = |seconds| jiff::Timestamp::from_second(seconds).map_err(|_| WrongVote::Statement);
        let statement = Statement {
            approver: &self.vote.by.id,
            decision: self.vote.choice,
            request_id: &self.request.request_id,
            request_digest: &self.evidence.request_digest,
            nonce,
            issued: second(iat)?,
            expires: second(exp)?,
        };
        if statement.payload().as_deref() != Ok(payload) {
            return Err(WrongVote::Payload);
        }
        let at = self.vote.at.as_second();
        let was_good = iat <= at && at <= exp && exp.saturating_sub(iat) <= MOST_SECONDS;
        if was_good { Ok(()) } else { Err(WrongVote::Statement) }
    }

    /// The service's statement is rebuilt as well. Gives the id of the audit event.
    fn countersignature(&self) -> Result<String, WrongVote> {
        let given = self.vote.countersignature.as_ref().ok_or(WrongVote::NotCountersigned)?;
        let bad = || WrongVote::Countersignature;
        let jws = Jws::parse(&given.jws).map_err(|_| bad())?;
        let key = self.keys.iter().find(|key| key.id().to_string() == jws.header.kid);
        let key = key.ok_or_else(|| WrongVote::ServiceKey(jws.header.kid.clone()))?;
        let subject = Subject {
            tenant: &self.evidence.tenant,
            approval: self.evidence.approval,
            version: self.evidence.version,
            digest: self.evidence.request_digest,
        };
        let payload = countersigned(&subject, self.vote, &given.event).map_err(|_| bad())?;
        let is_ours = jws.header.alg == SERVICE_ALG && jws.header.typ == COUNTERSIGNATURE_TYP && jws.is_detached();
        let holds = is_ours && Jwk::of_service(key).verify(&jws.input_with(&payload), &jws.signature);
        if holds { Ok(given.event.clone()) } else { Err(bad()) }
    }
}

fn same_person(one: &Party, other: &Party) -> bool {
    one.id == other.id || one.login.as_str().to_lowercase() == other.login.as_str().to_lowercase()
}

#[cfg(test)]
mod tests;
