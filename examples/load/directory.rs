//! Hooks whose users and grants lie in Okta: a stand-in of it answers as late as it is told.
//!
//! A hook reads two users, the delegator and the agent. Who reads the same at the same time shares a call, so that with
//! few delegators a hook costs less than two. With `c` calls at a time that take `l` each there are no more than `c/l` a
//! second, whatever we do: how near the calls come to that is printed.

use std::{sync::Arc, time::Duration};

use behalf::adapters::{
    store::embedded::{EmbeddedStore, Place, Settings},
    system::{OsEntropy, SystemClock},
};
use serde_json::json;

use crate::{
    data::{self, Fault, Pending},
    delegated::GRANTED,
    fake_okta::{Account, FakeOkta, TOKEN},
    generator::{Round, Work, drive},
    proc,
    report::{latency, line, median},
    scenarios::{HOOK, Run},
    server::{Server, write_users},
};

/// Calls that hooks may have under way.
const CALLS: u32 = 32;
/// Hooks in flight: enough to keep these calls busy, with two to a hook.
const CONNECTIONS: usize = 64;
/// How long a round is to last.
const ROUND: Duration = Duration::from_secs(3);

impl Run<'_> {
    pub(crate) async fn directory(&self, late: Duration) -> Result<(), Fault> {
        let (folder, rounds) = (self.folder()?, self.args.rounds);
        let okta = directory()?;
        okta.set(|state| state.latency = late);
        let most = f64::from(CALLS) / late.as_secs_f64();
        let per_round = hooks_in_a_round(late, self.args.per_round);
        write_users(folder.path(), 0)?;
        let settings = Settings::new(Place::Folder(folder.path().join("data")));
        let store = Arc::new(EmbeddedStore::open(&settings, Arc::new(SystemClock), &OsEntropy)?);
        let mut waiting = data::populate(&*store, self.issuer.issuer(), (rounds + 1) * per_round).await?;
        store.close();
        data::shuffle(&mut waiting);
        let calls_at_once = CALLS.to_string();
        let settings = [
            ("BEHALF_STORE", "embedded:data"),
            ("TENANT", okta.url.as_str()),
            ("TOKEN", TOKEN),
            ("BEHALF_DIRECTORY_CONCURRENCY", calls_at_once.as_str()),
        ];
        let behalf = Server::behalf_on(&self.args.behalf, folder.path(), self.issuer.issuer(), &settings).await?;
        behalf.at_rest().await?;
        println!("delegated hooks with Okta {} ms away, {CONNECTIONS} connections", late.as_millis());
        let before = proc::rss_mib(&behalf.pid)?;
        let (mut ours, mut calls) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let batch: Vec<Pending> = waiting.split_off(waiting.len() - per_round);
            let asked = okta.all_calls();
            let work = Work::new(self.requests(HOOK, &batch), "HTTP/1.1 200", GRANTED, None);
            let one = drive(behalf.address, &behalf.pid, CONNECTIONS, work).await?;
            // The first round warms up.
            if round > 0 {
                calls.push(f64::from(u32::try_from(okta.all_calls() - asked)?) / f64::from(u32::try_from(per_round)?));
                ours.push(one);
            }
        }
        report(&ours, &calls, late, most);
        println!("  resident {before:.1} MiB before, {:.1} MiB after\n", proc::rss_mib(&behalf.pid)?);
        let wrong = okta.violations();
        if wrong.is_empty() { Ok(()) } else { Err(format!("the directory was asked wrongly: {wrong:?}").into()) }
    }
}

fn report(ours: &[Round], calls: &[f64], late: Duration, most: f64) {
    line("behalf", ours);
    let (hooks, calls_each) = (median(ours.iter().map(|round| round.per_second)), median(calls.iter().copied()));
    let calls = hooks * calls_each;
    if late.is_zero() {
        println!("  {calls_each:.2} calls a hook, {calls:.0} a second; nothing but work bounds them");
        return;
    }
    println!(
        "  {calls_each:.2} calls a hook, {calls:.0} a second; {CALLS} at a time of {} ms are {most:.0} a second at most: {:.2} of it  [>= 0.80]",
        late.as_millis(),
        calls / most,
    );
    println!("  p50 {:.0} ms, of which two calls' waiting is {} ms", latency(ours, 50), late.as_millis());
}

/// Everybody of the data, each delegator with his agents.
fn directory() -> Result<FakeOkta, Fault> {
    let okta = FakeOkta::start(Arc::new(SystemClock))?;
    okta.set(|state| {
        state.concurrency = usize::MAX;
        for number in 0..data::AGENTS {
            let id = data::agent(number);
            state.users.insert(id.clone(), account(&id));
        }
        for number in 0..data::DELEGATORS {
            let agents: Vec<_> = (number..data::AGENTS).step_by(data::DELEGATORS).map(data::agent).collect();
            let (id, mut delegator) = (data::delegator(number), account(&data::delegator(number)));
            delegator.profile.insert("delegatedAgents".to_owned(), json!(agents));
            state.users.insert(id, delegator);
        }
    });
    Ok(okta)
}

fn account(id: &str) -> Account {
    let mut account = Account::active(&format!("{id}@example.test"));
    account.profile.insert("department".to_owned(), json!("Operations"));
    account
}

/// As many as the directory lets through in the time of a round, at two calls a hook.
fn hooks_in_a_round(late: Duration, most: usize) -> usize {
    let calls = ROUND.as_micros() * u128::from(CALLS) / late.as_micros().max(1);
    usize::try_from(calls / 2).unwrap_or(usize::MAX).min(most)
}
