//! The chapter of the proof: an auditor verifies an approval by what he was given, and asks nobody.

use std::{path::Path, process::Command};

use super::{
    backstage::{Backstage, output},
    pair::{Actor, Pair},
    say::{chapter, demand, say},
    site::this_program,
};

/// What the forger changes. It stands in the request that was signed.
const WORD: &str = "invoice run";

/// Tells it. `approver` is whose key it must be, in the command's form.
pub(super) async fn tell(
    pair: &Pair,
    backstage: &Backstage,
    ann: &Actor,
    approval: &str,
    approver: &str,
) -> Result<(), String> {
    chapter("PROOF  An auditor verifies the evidence, and asks nobody");
    let evidence = pair.document(pair.a(), ann, &format!("/v1/approvals/{approval}/evidence")).await?;
    let keys = pair.document(pair.b(), ann, "/.well-known/behalf-keys.json").await?;
    backstage.write("evidence.json", &evidence)?;
    backstage.write("behalf-keys.json", keys)?;
    let good = verify(backstage.folder(), "evidence.json", approver).await?;
    demand(good == Some(0), "the evidence is good")?;

    let at = evidence.find(WORD).ok_or(format!("`{WORD}` isn't in the evidence"))?;
    let mut bytes = evidence.into_bytes();
    let changed = bytes.get_mut(at).ok_or("the evidence has an end")?;
    let was = char::from(*changed);
    *changed = b'I';
    say(&format!("   Somebody changes one byte, at offset {at}, from {was} to I:"));
    backstage.write("forged.json", bytes)?;
    let bad = verify(backstage.folder(), "forged.json", approver).await?;
    demand(bad == Some(1), "one changed byte is seen")
}

/// Runs the command, says what it says, and gives its exit code.
async fn verify(folder: &Path, file: &str, approver: &str) -> Result<Option<i32>, String> {
    let mut command = Command::new(this_program()?);
    let arguments = ["approval", "verify", file, "--jwks", "behalf-keys.json", "--approver", approver];
    command.args(arguments).current_dir(folder).env_clear();
    let ended = output(command).await.map_err(|error| error.to_string())?;
    let code = ended.status.code();
    say(&format!("   behalf {}", arguments.join(" ")));
    let said = [ended.stdout, ended.stderr].concat();
    for line in String::from_utf8_lossy(&said).lines() {
        say(&format!("      {line}"));
    }
    say(&format!("      exit code {}", code.map_or("none".to_owned(), |code| code.to_string())));
    Ok(code)
}
