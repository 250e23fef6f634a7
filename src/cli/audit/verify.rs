//! `behalf audit verify`. Exit code 1: something is bad; 2: it could not be verified.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::ExitCode,
};

use super::{Source, VerifyArgs, print, store};
use crate::{
    adapters::audit::signing,
    app::trail::{Fault, Question, Trail},
    domain::{
        chain::{Bad, Checkpoint, Keyring, Report, Wrong},
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

pub(super) async fn run(args: VerifyArgs) -> ExitCode {
    let verified = match &args.file {
        Some(path) => of_file(path, &args),
        None => of_store(&args).await,
    };
    match verified {
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

fn question(args: &VerifyArgs) -> Result<Question, String> {
    let checkpoints = args.checkpoint.as_deref().map_or_else(|| Ok(Vec::new()), checkpoints)?;
    Ok(Question {
        tenant: args.of.tenant.clone(),
        from: args.from,
        to: args.to,
        repeats: args.repeats,
        checkpoints,
        keys: Keyring::new(args.key.iter().copied(), signing::verify),
    })
}

fn checkpoints(path: &Path) -> Result<Vec<Checkpoint>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).map_err(|e| format!("{}: is no checkpoint: {e}", path.display())))
        .collect()
}

fn of_file(path: &Path, args: &VerifyArgs) -> Result<String, Ended> {
    let failed = |error| Ended::Failed(format!("{}: {error}", path.display()));
    let mut trail = Trail::new(question(args)?);
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
    if args.checkpoint.is_none() {
        text.push_str(UNATTESTED);
    }
    Ok(text)
}

/// The tenants to be verified, with the numbers of their last events: those that are there, and those that ought to be.
fn tenants(source: &Source, args: &VerifyArgs) -> Result<BTreeMap<TenantName, u64>, String> {
    let attested = args.checkpoint.as_deref().map_or_else(|| Ok(Vec::new()), checkpoints)?;
    let attested = attested.into_iter().map(|checkpoint| checkpoint.says.tenant);
    let only = args.of.tenant.as_ref();
    let expected = attested.chain(only.cloned()).filter(|name| only.is_none_or(|only| only == name));
    let mut tenants: BTreeMap<TenantName, u64> = expected.map(|name| (name, 0)).collect();
    tenants.extend(source.tenants(only).map(|tenant| (tenant.name, tenant.last)));
    Ok(tenants)
}

async fn of_store(args: &VerifyArgs) -> Result<String, Ended> {
    let source = Source::open(&store::named_folder(args.of.data.clone())?).await?;
    let mut text = String::new();
    for (tenant, last_event) in tenants(&source, args)? {
        let mut question = question(args)?;
        question.tenant = Some(tenant.clone());
        let mut next = None;
        loop {
            let marks = source.marks(&tenant, next).await?;
            if args.key.is_empty() && next.is_none() {
                let keys = marks.keys.iter().flat_map(|keys| keys.former.iter().chain([&keys.current]));
                question.keys = Keyring::new(keys.copied(), signing::verify);
            }
            question.checkpoints.extend(marks.checkpoints.into_iter().chain(marks.latest.filter(|_| next.is_none())));
            next = marks.next;
            if next.is_none() {
                break;
            }
        }
        let mut trail = Trail::new(question);
        let mut after = args.from.unwrap_or(1).saturating_sub(1);
        let head = loop {
            let page = source.export(&tenant, after).await?;
            for (_, line) in &page.lines {
                trail.line(line)?;
            }
            match page.lines.last() {
                Some((last, _)) if args.to.is_none_or(|to| *last < to) => after = *last,
                _ => break page.head,
            }
        };
        let reports = trail.finish()?;
        let last = reports.get(&tenant).and_then(|report| report.range).map_or(0, |(_, last)| last);
        if args.to.is_none() && last != head.seq {
            let bad = Bad { seq: head.seq, wrong: Wrong::CutOff(last) };
            return Err(Fault::End { tenant, bad }.into());
        }
        text.push_str(&told(&reports));
        let waiting = last_event.saturating_sub(head.seq);
        text = format!("{text}  {waiting} events are not sealed yet\n");
    }
    if args.key.is_empty() {
        text.push_str("No --key: signatures were checked with the keys that lie beside the data.\n");
    }
    if args.checkpoint.is_none() {
        text.push_str(UNATTESTED);
    }
    Ok(text)
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
    say(format!("{} checkpoints fit, and their signatures are good", report.checkpoints));
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
