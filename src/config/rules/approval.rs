//! `approval = { … }`: a template, its shape checked whole.

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;

use crate::{
    config::{
        duration::seconds_within,
        mistakes::{Fault, Read, Recorded, fault},
        parse,
        table::Table,
    },
    domain::approval::template::{Approver, DEADLINE, Demand, Flaw, Kind, QUORUM, SignatureLevel, Template, USES},
};

const KINDS: &[(&str, Kind)] = &[("approve", Kind::Approve), ("sign_and_approve", Kind::SignAndApprove)];
const SIGNATURES: &[(&str, SignatureLevel)] = &[("typed", SignatureLevel::Typed), ("jws", SignatureLevel::Jws)];
const DEMANDS: &[(&str, Demand)] = &[("required", Demand::Required), ("optional", Demand::Optional)];

/// Reads a template. What a key alone doesn't show is the template's own to find.
pub(in crate::config) fn template(mut table: Table<'_, '_>) -> Read<Template> {
    let kind = table.text("type", parse::choice(KINDS));
    let kind = table.required("type", kind);
    let approvers = approvers(&mut table);
    let signatures = table.texts("signatures", parse::choice(SIGNATURES));
    let quorum = table.number("quorum", (*QUORUM.start()).into(), (*QUORUM.end()).into());
    let decide_within = deadline(&mut table, "decide_within");
    let use_within = deadline(&mut table, "use_within");
    let valid_for = deadline(&mut table, "valid_for");
    let max_uses = table.number("max_uses", (*USES.start()).into(), (*USES.end()).into());
    let reason = table.text("reason", parse::choice(DEMANDS));
    let ticket = table.text("ticket", parse::choice(DEMANDS));
    let delegator_may_approve = table.flag("delegator_may_approve");
    let unknown = table.unknown();
    let usual = Template::new(kind?, approvers?);
    let template = Template {
        signatures: signatures?.map_or_else(|| usual.signatures.clone(), |levels| levels.into_iter().collect()),
        quorum: quorum?.map_or(usual.quorum, |quorum| u8::try_from(quorum).unwrap_or(u8::MAX)),
        decide_within: decide_within?.unwrap_or(usual.decide_within),
        use_within: use_within?.unwrap_or(usual.use_within),
        valid_for: valid_for?.unwrap_or(usual.valid_for),
        max_uses: max_uses?.map_or(usual.max_uses, |uses| u32::try_from(uses).unwrap_or(u32::MAX)),
        reason: reason?.unwrap_or(usual.reason),
        ticket: ticket?.unwrap_or(usual.ticket),
        delegator_may_approve: delegator_may_approve?.unwrap_or(usual.delegator_may_approve),
        ..usual
    };
    unknown?;
    let flaws = template.flaws();
    for flaw in &flaws {
        table.wrong(flaw.key(), fault(flaw.to_string(), remedy(*flaw)));
    }
    if flaws.is_empty() { Ok(template) } else { Err(Recorded) }
}

fn approvers(table: &mut Table<'_, '_>) -> Read<BTreeSet<Approver>> {
    let listed = table.texts("approvers", approver);
    let listed = table.required("approvers", listed)?;
    let (named, approvers) = (listed.len(), BTreeSet::from_iter(listed));
    if approvers.len() < named {
        return Err(table.wrong("approvers", fault("names somebody twice", "name everybody once")));
    }
    Ok(approvers)
}

fn approver(text: &str) -> Result<Approver, Fault> {
    text.parse().map_err(|error| {
        fault(format!("`{text}` names no approver: {error}"), "write `group:<id>` or `user:<id>`, with immutable ids")
    })
}

fn deadline(table: &mut Table<'_, '_>, key: &'static str) -> Read<Option<SignedDuration>> {
    let bound = |span: &SignedDuration| Duration::from_secs(span.as_secs().unsigned_abs());
    let parse = seconds_within(bound(DEADLINE.start())..=bound(DEADLINE.end()));
    let seconds = table.text(key, parse)?;
    Ok(seconds.map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))))
}

fn remedy(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::NoApprovers => "name who may approve",
        Flaw::TooManyApprovers => "name a group instead",
        Flaw::QuorumOutOfReach => "lower it, or name more approvers or a group",
        Flaw::NoSignature => "name `typed`, `jws` or both, or leave it out to allow both",
        Flaw::NeedlessSignatures => "remove it, or give `type = \"sign_and_approve\"`",
        Flaw::Quorum | Flaw::DecideWithin | Flaw::UseWithin | Flaw::ValidFor | Flaw::MaxUses => "keep within these",
    }
}
