//! The secret that the hook sends: given by the configuration, or made here and left in a file.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

use crate::{
    adapters::okta_admin::wish::SecretState,
    config::HookHeader,
    file_mode,
    ports::entropy::{self, Entropy},
};

/// Where the hook's secret comes from.
pub(super) enum HookSecret {
    /// The configuration has it.
    Configured(SecretString),
    /// An earlier run left it in its file.
    InFile(SecretString),
    /// It would be made.
    None,
}

/// Where a secret that is used comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The configuration has it.
    Configured,
    /// It was in its file.
    InFile,
    /// It was made, and is in its file.
    Made,
}

impl HookSecret {
    /// Looks in the configuration, then for the file. A file that is there and isn't a secret is an error.
    pub(super) fn find(hook: &HookHeader, file: &Path) -> Result<Self, String> {
        if let Some(secret) = hook.first.clone().or_else(|| hook.second.clone()) {
            return Ok(Self::Configured(secret));
        }
        match fs::read_to_string(file) {
            Ok(text) => stored(file, &text).map(Self::InFile),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::None),
            Err(error) => Err(format!("{}: {error}", file.display())),
        }
    }

    /// What is known of it.
    pub(super) fn state(&self) -> SecretState {
        match self {
            Self::Configured(_) => SecretState::Configured,
            Self::InFile(_) => SecretState::InFile,
            Self::None => SecretState::None,
        }
    }

    /// The secret itself. One that isn't there is made and written first, so that it outlives an interruption.
    pub(super) fn need(self, file: &Path, entropy: &dyn Entropy) -> Result<(SecretString, Origin), String> {
        match self {
            Self::Configured(secret) => Ok((secret, Origin::Configured)),
            Self::InFile(secret) => Ok((secret, Origin::InFile)),
            Self::None => {
                let text = URL_SAFE_NO_PAD.encode(entropy::bytes::<32>(entropy));
                write(file, &text).map_err(|error| format!("the secret's file {}: {error}", file.display()))?;
                Ok((text.into(), Origin::Made))
            }
        }
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(new, "{text}")?;
    new.sync_all()
}

fn stored(file: &Path, text: &str) -> Result<SecretString, String> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.len() < 16 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!(
            "{} is there and holds no secret: delete it, or name another by --secret-file",
            file.display()
        ));
    }
    if let Some(mode) = fs::metadata(file).ok().as_ref().and_then(file_mode::open_to_others) {
        return Err(format!(
            "{}: others than the owner may read or write this secret (mode {mode:03o}): `chmod 600` it, or delete it so \
             that a new one is made",
            file.display()
        ));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{adapters::system::OsEntropy, ports::entropy::Entropy};
    use secrecy::ExposeSecret as _;

    fn hook(first: Option<&str>) -> HookHeader {
        HookHeader { name: "authorization".to_owned(), first: first.map(SecretString::from), second: None }
    }

    #[test]
    fn a_secret_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        let entropy: &dyn Entropy = &OsEntropy;
        let missing = HookSecret::find(&hook(None), &file).unwrap();
        assert_eq!(missing.state(), SecretState::None);
        assert!(!file.exists(), "looking makes nothing");
        let (made, origin) = missing.need(&file, entropy).unwrap();
        assert_eq!(origin, Origin::Made);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let found = HookSecret::find(&hook(None), &file).unwrap();
        assert_eq!(found.state(), SecretState::InFile);
        assert_eq!(found.need(&file, entropy).unwrap().0.expose_secret(), made.expose_secret());
        let configured = HookSecret::find(&hook(Some("given by the user")), &file).unwrap();
        assert_eq!(configured.need(&file, entropy).unwrap().1, Origin::Configured);
    }

    #[test]
    fn a_file_that_holds_no_secret_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        for text in ["", "short", "with spaces in it, and long enough"] {
            fs::write(&file, text).unwrap();
            assert!(HookSecret::find(&hook(None), &file).is_err(), "{text:?}");
        }
        fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let Err(open) = HookSecret::find(&hook(None), &file) else { panic!("others may read it") };
        assert!(open.contains("mode 644"), "{open}");
        assert!(HookSecret::None.need(&file, &OsEntropy).is_err(), "another process made it meanwhile");
        assert_eq!(fs::read_to_string(&file).unwrap(), "0123456789abcdef0123456789abcdef\n");
    }
}
