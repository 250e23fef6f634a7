//! `behalf audit verify`. Exit code 1: something is bad; 2: it could not be verified.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::ExitCode,
};

use super::{Of, Source, VerifyArgs, print, store};
use crate::{
    adapters::audit::signing,
    app::{
        sealed::SigningKeys,
        trail::{Fault, Question, Trail},
    },
    domain::{
        chain::{Bad, Checkpoint, Keyring, Report, Start, Wrong},
        ids::TenantName,
    },
};

/// Why there is no good report.
enum Ended {
    /// The trail is bad.
    Bad(String),
    /// It could not be read.
    Failed(String),
}

impl From<String> for Ended {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Self::Bad(fault.to_string())
    }
}

/// What was asked, and the checkpoints that were given: those that were kept elsewhere.
struct Order {
    args: VerifyArgs,
    kept: Option<Vec<Checkpoint>>,
}

pub(super) async fn run(args: VerifyArgs) -> ExitCode {
    match verified(args).await {
        Ok(text) => print(&text),
        Err(Ended::Bad(what)) => {
            eprintln!("BAD: {what}");
            ExitCode::from(1)
        }
        Err(Ended::Failed(why)) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

async fn verified(args: VerifyArgs) -> Result<String, Ended> {
    let kept = args.checkpoint.as_deref().map(checkpoints).transpose()?;
    let order = Order { args, kept };
    match &order.args.file {
        Some(path) => of_file(path, &order),
        None => of_store(&order).await,
    }
}

/// Verifies each tenant's whole trail with what lies beside it: what is said, or what is bad.
pub(in crate::cli) async fn whole(located: store::Located) -> Result<BTreeMap<TenantName, String>, String> {
    let of = Of { data: None, tenant: None };
    let args = VerifyArgs { of, file: None, from: None, to: None, checkpoint: None, key: Vec::new(), repeats: false };
    let order = Order { args, kept: None };
    let source = Source::open(located).await?;
    let mut all = BTreeMap::new();
    for tenant in tenants(&source, &order) {
        let said = of_tenant(&source, &order, &tenant).await.map_err(|ended| match ended {
            Ended::Bad(what) => format!("BAD: {what}"),
            Ended::Failed(why) => why,
        })?;
        all.insert(tenant, said);
    }
    Ok(all)
}

fn question(order: &Order) -> Question {
    let args = &order.args;
    Question {
        tenant: args.of.tenant.clone(),
        start: Start::Attested,
        from: args.from,
        to: args.to,
        repeats: args.repeats,
        checkpoints: order.kept.clone().unwrap_or_default(),
        keys: Keyring::new(args.key.iter().copied(), signing::verify),
    }
}

fn checkpoints(path: &Path) -> Result<Vec<Checkpoint>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).map_err(|e| format!("{}: is no checkpoint: {e}", path.display())))
        .collect()
}

fn of_file(path: &Path, order: &Order) -> Result<String, Ended> {
    let failed = |error| Ended::Failed(format!("{}: {error}", path.display()));
    let mut trail = Trail::new(question(order));
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
    let (mut line, mut number) = (Vec::new(), 0_u64);
    while file.read_until(b'\n', &mut line).map_err(failed)? > 0 {
        number += 1;
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            return Err(Ended::Bad(format!("line {number} is cut off")));
        }
        let text = std::str::from_utf8(&line).map_err(|_| Ended::Bad(format!("line {number} is not UTF-8")))?;
        trail.line(text)?;
        line.clear();
    }
    let reports = trail.finish()?;
    let mut text = told(&reports);
    for (tenant, report) in &reports {
        text.push_str(&attested(order, tenant, report)?);
    }
    if order.kept.is_none() {
        text.push_str(UNATTESTED);
    }
    Ok(text)
}

/// How far the checkpoints that were given, and not those that lie beside the data, attest this trail. If all of them
/// lie before its beginning, nothing that was kept elsewhere says that this is the same trail.
fn attested(order: &Order, tenant: &TenantName, report: &Report) -> Result<String, Ended> {
    let Some(kept) = &order.kept else { return Ok(String::new()) };
    let (begin, last) = (report.behind.unwrap_or(0), report.range.map_or(0, |(_, last)| last));
    let kept = kept.iter().filter(|kept| kept.says.tenant == *tenant).map(|kept| kept.says.head.seq);
    let (before, rest): (Vec<u64>, Vec<u64>) = kept.partition(|seq| *seq < begin);
    match rest.into_iter().filter(|seq| *seq > begin && *seq <= last).max() {
        Some(reach) => Ok(format!("  the checkpoints that were given attest entries up to {reach}\n")),
        None if before.is_empty() => Ok("  no checkpoint that was given attests these entries\n".to_owned()),
        None => Err(Ended::Failed(format!(
            "tenant {tenant}: the trail begins behind entry {begin}, and the checkpoints that were given lie before that: \
             nothing can be held against them; take one that was kept since, or an export that begins earlier"
        ))),
    }
}

/// The tenants to be verified: those that are there, and those that ought to be.
fn tenants(source: &Source, order: &Order) -> BTreeSet<TenantName> {
    let attested = order.kept.iter().flatten().map(|checkpoint| checkpoint.says.tenant.clone());
    let only = order.args.of.tenant.as_ref();
    let expected = attested.chain(only.cloned()).filter(|name| only.is_none_or(|only| only == name));
    expected.chain(source.tenants(only).map(|tenant| tenant.name)).collect()
}

async fn of_store(order: &Order) -> Result<String, Ended> {
    let source = Source::open(store::located(order.args.of.data.clone())?).await?;
    let mut text = String::new();
    for tenant in tenants(&source, order) {
        text.push_str(&of_tenant(&source, order, &tenant).await?);
    }
    if order.args.key.is_empty() {
        text.push_str("No --key: signatures were checked with the keys that lie beside the data.\n");
    }
    if order.kept.is_none() {
        text.push_str(UNATTESTED);
    }
    Ok(text)
}

/// How often it is tried while entries are dropped under the reader's eyes.
const TRIES: usize = 3;

async fn of_tenant(source: &Source, order: &Order, tenant: &TenantName) -> Result<String, Ended> {
    for _ in 0..TRIES {
        let question = asked(source, order, tenant).await?;
        let dropped = begins_behind(&question);
        if let Some(asked) =
            [order.args.from, order.args.to].into_iter().flatten().find(|asked| dropped > 0 && *asked <= dropped)
        {
            let why = format!("tenant {tenant}: entry {asked} is not there: {}", dropped_up_to(dropped));
            return Err(Ended::Failed(why));
        }
        if let Some(text) = read_through(source, order, question, tenant).await? {
            return Ok(text);
        }
    }
    Err(Ended::Failed(format!("tenant {tenant}: entries are being dropped at the moment; try again")))
}

/// The question about a tenant of the store, with all that attests it there.
async fn asked(source: &Source, order: &Order, tenant: &TenantName) -> Result<Question, Ended> {
    let mut question = Question { tenant: Some(tenant.clone()), start: Start::Whole, ..question(order) };
    let mut next = None;
    loop {
        let marks = source.marks(tenant, next).await?;
        if next.is_none() {
            question.start = marks.start.map_or(Start::Whole, Start::Behind);
            question.checkpoints.extend(marks.latest);
            if order.args.key.is_empty() {
                let keys = marks.keys.iter().flat_map(SigningKeys::all);
                question.keys = Keyring::new(keys, signing::verify);
            }
        }
        question.checkpoints.extend(marks.checkpoints);
        next = marks.next;
        if next.is_none() {
            return Ok(question);
        }
    }
}

fn begins_behind(question: &Question) -> u64 {
    if let Start::Behind(checkpoint) = &question.start { checkpoint.says.head.seq } else { 0 }
}

/// `None`: entries were dropped before they were read.
async fn read_through(
    source: &Source,
    order: &Order,
    question: Question,
    tenant: &TenantName,
) -> Result<Option<String>, Ended> {
    let begin = begins_behind(&question);
    // What tells of the beginning has at most this number.
    let last_event = source.last(tenant).await?;
    let mut trail = Trail::new(question);
    let mut after = order.args.from.unwrap_or(1).saturating_sub(1).max(begin);
    let head = loop {
        let fed = source.feed(&mut trail, tenant, after).await?;
        if fed.dropped > after {
            return Ok(None);
        }
        fed.verified?;
        match fed.last {
            Some(last) if order.args.to.is_none_or(|to| last < to) => after = last,
            _ => break fed.head,
        }
    };
    let reports = trail.finish()?;
    let report = reports.get(tenant);
    let last = report.and_then(|report| report.range).map_or(begin, |(_, last)| last);
    let end = |bad| Err(Fault::End { tenant: tenant.clone(), bad }.into());
    if order.args.to.is_none() && last != head.seq {
        return end(Bad { seq: head.seq, wrong: Wrong::CutOff(last) });
    }
    let waiting = last_event.saturating_sub(head.seq);
    let mut text = told(&reports);
    if begin > 0 && order.args.from.is_none() && !report.is_some_and(|report| report.told) {
        if order.args.to.is_none() && waiting == 0 {
            return end(Bad { seq: 1, wrong: Wrong::Untold(begin) });
        }
        text = format!("{text}  {}, but no entry that was looked at tells of it\n", dropped_up_to(begin));
    }
    if let Some(report) = report {
        text.push_str(&attested(order, tenant, report)?);
    }
    Ok(Some(format!("{text}  {waiting} events are not sealed yet\n")))
}

/// How it is said.
pub(super) fn dropped_up_to(last: u64) -> String {
    format!("entries 1 to {last} were dropped under audit.keep")
}

const UNATTESTED: &str = "No --checkpoint that was kept elsewhere: whoever owns the data could have cut off its end, or \
                          made all of it anew, and it would look like this.\n";

fn told(reports: &BTreeMap<TenantName, Report>) -> String {
    if reports.is_empty() {
        return "no entries\n".to_owned();
    }
    reports.iter().map(|(tenant, report)| told_of(tenant, report)).collect()
}

fn told_of(tenant: &TenantName, report: &Report) -> String {
    let mut text = match (report.range, report.head) {
        (Some((first, last)), Some(head)) => {
            format!("tenant {tenant}: entries {first} to {last} are good; head {head}\n")
        }
        _ => format!("tenant {tenant}: no entries\n"),
    };
    let mut say = |line: String| {
        text.push_str("  ");
        text.push_str(&line);
        text.push('\n');
    };
    say(match report.checkpoints {
        0 => "no checkpoint lies on these entries: nothing attests them".to_owned(),
        count => format!("{count} checkpoints fit, and their signatures are good"),
    });
    match report.behind {
        Some(seq) if report.told => say(format!("{}; verified from the checkpoint at {seq}", dropped_up_to(seq))),
        Some(seq) => say(format!("verified from the checkpoint at {seq}")),
        None => {}
    }
    if report.earlier > 0 {
        say(format!("{} checkpoints of what lies before were not looked at", report.earlier));
    }
    if !report.anchored {
        say("what lies before the first entry was not looked at".to_owned());
    }
    if report.repeated > 0 {
        say(format!("{} entries came more than once, the same", report.repeated));
    }
    if report.times_back > 0 {
        let first = &report.time_ran_back;
        say(format!("time ran back by more than 5 minutes at {} entries, first at {first:?}", report.times_back));
    }
    text
}
