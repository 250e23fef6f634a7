//! The application as a process.

use std::{fs, io, path::Path, process::Command};

use tempfile::TempDir;

use crate::support::{peers::installed, process::Process};

/// A running application.
pub(crate) struct App {
    /// Where it says that browsers find it.
    pub(crate) public: String,
    /// Where it listens.
    pub(crate) address: String,
    #[expect(dead_code, reason = "it runs as long as this is held")]
    process: Process,
    #[expect(dead_code, reason = "its files")]
    dir: TempDir,
}

impl App {
    /// Starts it with this environment and no other. `None` where what it needs can't be installed; that was said.
    pub(crate) async fn start(environment: &[(&str, &str)]) -> Option<Self> {
        let modules = installed("client", "examples/client and its openid-client")?;
        // A copy, so that nothing is installed into the sources.
        let dir = tempfile::tempdir().unwrap();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/client"), dir.path()).unwrap();
        std::os::unix::fs::symlink(modules.join("node_modules"), dir.path().join("node_modules")).unwrap();
        let mut command = Command::new(modules.parent().unwrap().join("node"));
        command.arg("main.mjs").current_dir(dir.path()).env_clear().envs(environment.iter().copied());
        let mut process = Process::start(&mut command);
        let (public, address) = process.line("the application's address", listening).await;
        Some(Self { public, address, process, dir })
    }
}

/// `open http://…/ (listening on …)`.
fn listening(line: &str) -> Option<(String, String)> {
    let (public, rest) = line.strip_prefix("open ")?.split_once("/ (listening on ")?;
    Some((public.to_owned(), format!("http://{}", rest.strip_suffix(')')?)))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if name == "node_modules" {
            continue;
        }
        if entry.is_dir() {
            fs::create_dir(to.join(&name))?;
            copy(&entry, &to.join(&name))?;
        } else {
            fs::copy(&entry, to.join(&name))?;
        }
    }
    Ok(())
}
