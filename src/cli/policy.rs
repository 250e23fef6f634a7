//! `behalf policy`: rules under test.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;

use self::cases::{Expected, Tried, Which};
use super::{fail, print};
use crate::{
    config::Config,
    domain::{ids::TenantName, rule::Rule},
    policy::{TenantPolicy, dry::Answer, trial},
};

mod cases;

/// The longest file of cases, bytes.
const MOST: u64 = 4 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Decide made-up cases by the configuration's rules, without directory and store; exit code 1 if one comes out otherwise than expected
    Test {
        /// The cases, YAML
        cases: PathBuf,
        /// The configuration's file; default: `BEHALF_CONFIG`, else behalf.toml
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// Does what the command line says.
pub(super) async fn run(what: PolicyCommand) -> ExitCode {
    let PolicyCommand::Test { cases, config } = what;
    match test(&cases, config.as_deref()).await {
        Ok(Report { text, failed: 0 }) => print(&text),
        Ok(Report { text, .. }) => {
            print(&text);
            ExitCode::FAILURE
        }
        Err(why) => {
            fail(&why);
            ExitCode::from(2)
        }
    }
}

struct Report {
    text: String,
    failed: usize,
}

async fn test(cases: &Path, config: Option<&Path>) -> Result<Report, String> {
    let mut rules = Config::rules(config).map_err(|mistakes| mistakes.to_string())?;
    let content = read(cases).map_err(|error| format!("{}: {error}", cases.display()))?;
    let file = cases::parse(&content).map_err(|mistakes| {
        let told: Vec<String> = mistakes.iter().map(|mistake| format!("{}: {mistake}", cases.display())).collect();
        told.join("\n")
    })?;
    let tenant = file.tenant.unwrap_or_else(TenantName::default_tenant);
    let rules = rules.remove(&tenant).ok_or_else(|| format!("the configuration has no tenant `{tenant}`"))?;
    let policy = TenantPolicy { rules, delegatable_type: None };
    let (mut text, mut failed) = (String::new(), 0);
    let total = file.cases.len();
    for Tried { name, case, expected } in file.cases {
        let answer = trial::run(&policy, case).await;
        let differences = differences(&expected, &answer);
        failed += usize::from(!differences.is_empty());
        // Writing to a String doesn't fail.
        let _ = writeln!(text, "{}: {name}", if differences.is_empty() { "ok" } else { "FAILED" });
        for line in differences {
            let _ = writeln!(text, "  {line}");
        }
    }
    let _ = writeln!(text, "{total} cases, {failed} failed");
    Ok(Report { text, failed })
}

fn read(path: &Path) -> io::Result<String> {
    let mut content = String::new();
    File::open(path)?.take(MOST + 1).read_to_string(&mut content)?;
    if content.len() as u64 > MOST {
        return Err(io::Error::other(format!("it has more than {MOST} bytes")));
    }
    Ok(content)
}

/// What came out otherwise, and where it was decided.
fn differences(expected: &Expected, got: &Answer) -> Vec<String> {
    let decision = got.decision.reason().map_or(got.decision.code(), |reason| reason.code());
    let rule = got.rule.as_ref();
    let mut lines = Vec::new();
    if decision != expected.decision {
        lines.push(format!("decision: expected {}, got {decision}", expected.decision));
    }
    let name = rule.map(|rule| rule.name.as_str());
    let (as_wanted, wanted) = match &expected.rule {
        Which::Any => (true, ""),
        Which::None => (name.is_none(), "none"),
        Which::Named(wanted) => (name == Some(wanted.as_str()), wanted.as_str()),
    };
    if !as_wanted {
        lines.push(format!("rule: expected {wanted}, got {}", name.unwrap_or("none")));
    }
    if let Some(wanted) = &expected.stages {
        let got = rule.map(Rule::stages).unwrap_or_default();
        if *wanted != got {
            lines.push(format!("stages: expected [{}], got [{}]", wanted.join(", "), got.join(", ")));
        }
    }
    if !lines.is_empty() {
        let trace: Vec<String> = got.trace.iter().map(|line| format!("{}: {}", line.stage, line.said)).collect();
        lines.push(format!("trace: {}", trace.join(", ")));
    }
    lines
}
