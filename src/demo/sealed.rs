//! The chapter of the seal: the trail is taken out of the house, verified, forged, and verified again.

use super::{
    say::{chapter, say},
    set::Set,
};
use crate::{
    adapters::audit::signing,
    app::{
        sealed,
        trail::{Question, Trail},
    },
    domain::{
        chain::{Checkpoint, Keyring, Start},
        ids::TenantName,
    },
};

/// Tells it. The error says what doesn't hold.
pub(super) async fn told(set: &Set) -> Result<(), String> {
    chapter("SEAL   An auditor takes the trail home, and verifies it there");
    let (lines, kept, keys) = taken_home(set).await?;
    say(&format!("   behalf audit export     -> {} lines of {{seq, prev, hash, event}}", lines.len()));
    say(&format!("   behalf audit checkpoint -> entry {} is {}, signed", kept.says.head.seq, kept.says.head.hash));
    match verify(&lines, &kept, &keys) {
        Ok(entries) => say(&format!("   behalf audit verify     -> entries 1 to {entries} are good")),
        Err(why) => return Err(format!("the trail is not good: {why}")),
    }
    say("   Somebody makes a refusal look like another one:");
    let forged: Vec<String> = lines.iter().map(|line| line.replacen("\"grant-gone\"", "\"expired\"", 1)).collect();
    demand_bad(verify(&forged, &kept, &keys), "an entry was changed")?;
    say("   Somebody cuts off the end:");
    let shorter = lines.get(..lines.len().saturating_sub(3)).unwrap_or_default();
    demand_bad(verify(shorter, &kept, &keys), "the end was cut off")?;
    say(
        "   The second one is seen only because the auditor kept the checkpoint: without it a shorter trail is a good trail.",
    );
    Ok(())
}

/// Lines, a checkpoint that attests the last of them, and the key that signed it.
async fn taken_home(set: &Set) -> Result<(Vec<String>, Checkpoint, Keyring), String> {
    let (services, sealer) = set.audit();
    let tenant = TenantName::default_tenant();
    // Far enough for the next checkpoint; the background seals as well, and whoever comes second does nothing.
    set.jump_ahead(jiff::SignedDuration::from_secs(180));
    for _ in 0..10 {
        sealer.pass(services, &tenant).await.map_err(|e| e.to_string())?;
        let page = sealed::export(&*services.store, &tenant, 0).await.map_err(|e| e.to_string())?;
        let marks = sealed::marks(&*services.store, &tenant, None).await.map_err(|e| e.to_string())?;
        if let (Some(latest), Some(keys)) = (marks.latest, marks.keys)
            && latest.says.head == page.head
        {
            let lines = page.lines.into_iter().map(|(_, line)| line).collect();
            return Ok((lines, latest, Keyring::new([keys.current], signing::verify)));
        }
        set.jump_ahead(jiff::SignedDuration::from_secs(300));
    }
    Err("the trail was not sealed".to_owned())
}

fn verify(lines: &[String], kept: &Checkpoint, keys: &Keyring) -> Result<u64, String> {
    let (checkpoints, keys) = (vec![kept.clone()], keys.clone());
    let (start, from, to) = (Start::Whole, None, None);
    let mut trail = Trail::new(Question { tenant: None, start, from, to, repeats: false, checkpoints, keys });
    for line in lines {
        trail.line(line).map_err(|fault| fault.to_string())?;
    }
    let reports = trail.finish().map_err(|fault| fault.to_string())?;
    Ok(reports.values().map(|report| report.entries).sum())
}

fn demand_bad(found: Result<u64, String>, what: &str) -> Result<(), String> {
    match found {
        Ok(_) => Err(format!("this was not seen: {what}")),
        Err(named) => {
            say(&format!("   behalf audit verify     -> BAD: {named}"));
            Ok(())
        }
    }
}
