//! Whether we may do what we do: every command is tried on keys of the same form, in a way that changes nothing.

use redis::{Cmd, ErrorKind, RedisError, Script, ServerErrorKind, Value, aio::MultiplexedConnection, cmd};

use super::Finding;
use crate::{
    adapters::store::redis::{
        Address, Dial,
        fault::{self, Fault},
        hints,
        keys::Keys,
        wire::{self, Meta, Reply, Time},
    },
    app::records,
    domain::ids::TenantName,
    ports::{
        entropy,
        store::{Change, ChangeId, Index, Page},
    },
};

/// No key that is in use ends like this.
const NOBODY: &[u8] = b"check";

/// Whether hints of commits can be heard.
pub(super) async fn hints(address: &Address, dial: &Dial) -> Option<Finding> {
    let error = hints::open(address, dial).await.err()?;
    let text = format!("commits of other processes can't be listened to: allow PSUBSCRIBE and &behalf:*:c ({error})");
    Some(Finding::warning(format!("{text}; without, they are seen up to a second later")))
}

/// Tries everything that is done for a tenant.
pub(super) async fn tenant(connection: &mut MultiplexedConnection, tenant: &TenantName, dial: &Dial) -> Vec<Finding> {
    let (mut forbidden, mut found) = (Vec::new(), Vec::new());
    for (shown, probe) in probes(tenant) {
        let Err(error) = probe.query_async::<Value>(connection).await else { continue };
        match meaning(&error) {
            Means::Nothing => {}
            Means::Forbidden => forbidden.push(shown),
            Means::Fault(fault) => found.push(Finding::error(format!("tenant `{tenant}`, {shown}: {fault}"))),
        }
        if error.is_io_error() {
            break;
        }
    }
    if !forbidden.is_empty() {
        found.push(Finding::error(format!(
            "the user of BEHALF_REDIS_USERNAME may not do this for tenant `{tenant}`, but must: {}",
            forbidden.join(", ")
        )));
    }
    found.dedup();
    if found.is_empty() {
        found.push(
            scripts(connection, tenant, dial)
                .await
                .unwrap_or_else(|why| Finding::error(format!("tenant `{tenant}`: {why}"))),
        );
    }
    found
}

enum Means {
    /// It was refused for what is wrong with it on purpose.
    Nothing,
    Forbidden,
    Fault(Fault),
}

fn meaning(error: &RedisError) -> Means {
    let text = fault::explain(error);
    if text.contains("NOPERM") || error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) {
        return Means::Forbidden;
    }
    // A command may be renamed or switched off.
    if text.contains("unknown command") || text.contains("unknown subcommand") {
        return Means::Forbidden;
    }
    match (error.kind(), fault::of(error)) {
        (ErrorKind::Server(ServerErrorKind::ResponseError), Fault::Silent(_)) => Means::Nothing,
        (_, fault) => Means::Fault(fault),
    }
}

/// A command in a form that changes nothing: it reads, or it is refused for an argument after rights, memory and
/// replicas were looked at, or it is about a key that isn't there.
fn probes(tenant: &TenantName) -> Vec<(String, Cmd)> {
    let keys = Keys(tenant);
    let with = |mut key: Vec<u8>| {
        key.extend_from_slice(NOBODY);
        key
    };
    let (counters, events, mark) = (keys.counters(), keys.events(), keys.mark());
    let attempt = with(keys.attempt(ChangeId([0; 16])));
    let (lease, record, index) = (keys.lease("check"), with(keys.records()), with(keys.indexes()));
    let mut out = Vec::new();
    let mut say = |name: &str, key: &[u8], rest: &[&str]| {
        let mut probe = Cmd::new();
        let mut words = name.split(' ');
        words.by_ref().for_each(|word| {
            probe.arg(word);
        });
        let pattern = format!("behalf:{{{tenant}}}:");
        let kind = String::from_utf8_lossy(key.get(pattern.len()..).unwrap_or_default()).into_owned();
        let kind: String = kind.chars().take(2).collect();
        if !key.is_empty() {
            probe.arg(key);
        }
        for word in rest {
            probe.arg(*word);
        }
        let star = if kind.ends_with(':') { "*" } else { "" };
        let shown = if key.is_empty() { name.to_owned() } else { format!("{name} ~{pattern}{kind}{star}") };
        out.push((shown, probe));
    };
    for (name, rest) in [("TIME", [].as_slice()), ("ROLE", &[]), ("WAIT", &["0", "1"])] {
        say(name, &[], rest);
    }
    for key in [&counters, &record] {
        say("MGET", key, &[]);
    }
    for key in [&counters, &attempt, &lease] {
        say("GET", key, &[]);
    }
    for key in [&counters, &attempt, &lease, &record, &mark] {
        say("SET", key, &["", "CHECK"]);
    }
    say("EXISTS", &events, &[]);
    say("XLEN", &events, &[]);
    say("XRANGE", &events, &["1-0", "1-0", "COUNT", "1"]);
    say("XADD", &events, &["NOMKSTREAM", "check", "e", ""]);
    say("XTRIM", &events, &["CHECK", "0"]);
    say("GETRANGE", &record, &["0", "0"]);
    say("DEL", &record, &[]);
    say("ZCARD", &index, &[]);
    say("ZRANGEBYLEX", &index, &["-", "+", "LIMIT", "0", "1"]);
    say("ZADD", &index, &["check", "check"]);
    say("ZREM", &index, &["check"]);
    let mut publish = cmd("PUBLISH");
    publish.arg(keys.channel()).arg("");
    out.push((format!("PUBLISH &behalf:{{{tenant}}}:c"), publish));
    out
}

/// Runs the scripts: a page of nothing, and a change that comes too late.
async fn scripts(connection: &mut MultiplexedConnection, tenant: &TenantName, dial: &Dial) -> Result<Finding, String> {
    let meta = counters(connection, tenant).await?;
    let [commit, lease, list] = super::super::sources().map(Script::new);
    let nothing = Index { list: 255, owner: [0xff; 32] };
    let page = Page { up_to: 0, after: None, limit: 1 };
    let said = |error: RedisError| match meaning(&error) {
        Means::Forbidden => format!("the scripts may not be run: allow EVALSHA and SCRIPT LOAD ({error})"),
        Means::Nothing => fault::explain(&error),
        Means::Fault(fault) => fault.to_string(),
    };
    lease.load_async(connection).await.map_err(said)?;
    let call = wire::list(&list, tenant, nothing, page, 1);
    let _: Value = call.invoke_async(connection).await.map_err(said)?;
    let key = records::epoch_key();
    let epoch = cmd("MGET").arg(Keys(tenant).record(key)).query_async(connection).await;
    let [epoch]: [Option<Vec<u8>>; 1] = epoch.map_err(said)?;
    let epoch = epoch.as_deref().map(|bytes| wire::record(key.kind, bytes));
    epoch.transpose().map_err(|unreadable| unreadable.to_string())?;
    let late = Change::new(ChangeId(entropy::bytes(&*dial.entropy)), jiff::Timestamp::MIN);
    let call = wire::commit(&commit, tenant, &late, "check", Time { fixed: None, skew: 0 });
    let answer: (i64, Reply) = call.invoke_async(connection).await.map_err(said)?;
    match answer {
        // Too late, or of another line of history: nothing was written.
        (4 | 5, _) => {}
        (_, Reply::Text(why)) => return Err(why),
        (code, Reply::Number(number)) => return Err(format!("the script gave {code}, {number}")),
    }
    let may = "may do what it must";
    Ok(Finding::good(match meta {
        None => format!("the user {may}; nothing is there of tenant `{tenant}` yet"),
        Some(meta) => {
            format!("the user {may}; tenant `{tenant}` has {} records and {} events", meta.records, meta.events)
        }
    }))
}

async fn counters(connection: &mut MultiplexedConnection, tenant: &TenantName) -> Result<Option<Meta>, String> {
    let found: Option<Vec<u8>> =
        cmd("GET").arg(Keys(tenant).counters()).query_async(connection).await.map_err(|e| fault::of(&e).to_string())?;
    let meta = found.as_deref().map(|bytes| Meta::decode(Some(bytes))).transpose();
    meta.map_err(|unreadable| unreadable.to_string())
}
