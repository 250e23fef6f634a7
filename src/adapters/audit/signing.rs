//! The Ed25519 key that signs checkpoints: made at first start, or a file in PKCS#8 (RFC 8410), PEM or DER.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};

use crate::{
    domain::chain::{PublicKey, Signature},
    file_mode,
    ports::{
        entropy::{self, Entropy},
        signer::Signer,
    },
};

/// The key's name in the data folder.
pub const KEY_FILE: &str = "signing.pk8";
/// More than any such key has.
const MOST_BYTES: u64 = 16 * 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("{path}: {1}", path = .0.display())]
    Io(PathBuf, io::Error),
    /// It holds something else.
    #[error("{path}: is no Ed25519 private key in PKCS#8 form, PEM or DER (`openssl genpkey -algorithm ed25519`)", path = .0.display())]
    Form(PathBuf),
    /// The library refuses to make one.
    #[error("a signing key can't be made")]
    Made,
}

/// A private key, in memory. No `Debug`: it is a secret.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// A new key that is kept nowhere.
    pub fn ephemeral(entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&entropy::bytes::<32>(entropy)).map_err(|_| KeyError::Made)?;
        Self::of(pair).ok_or(KeyError::Made)
    }

    /// Reads a key file.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let failed = |error| KeyError::Io(path.to_owned(), error);
        let file = File::open(path).map_err(failed)?;
        if file_mode::open_to_others(&file.metadata().map_err(failed)?).is_some() {
            tracing::warn!(file = %path.display(), "the signing key can be read by others; it should have mode 0600");
        }
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        Self::read(&bytes).ok_or_else(|| KeyError::Form(path.to_owned()))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let pair = match PrivatePkcs8KeyDer::from_pem_slice(bytes) {
            Ok(der) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()),
            Err(_) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes),
        };
        Self::of(pair.ok()?)
    }

    /// Reads `signing.pk8` in the data folder, and makes it (0600) if it isn't there.
    pub fn load_or_make(folder: &Path, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let path = folder.join(KEY_FILE);
        match Self::load(&path) {
            Err(KeyError::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        let made = Self::ephemeral(entropy)?;
        let der: Pkcs8V1Der<'_> = made.pair.as_der().map_err(|_| KeyError::Made)?;
        write(folder, &path, der.as_ref()).map_err(|error| KeyError::Io(path.clone(), error))?;
        tracing::info!(file = %path.display(), key = %made.public.id(), "made the key that signs the audit trail");
        Ok(made)
    }

    fn of(pair: Ed25519KeyPair) -> Option<Self> {
        let public = PublicKey(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { pair, public })
    }
}

/// Under another name first, so that a crash leaves no half of a key.
fn write(folder: &Path, path: &Path, der: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(der)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

impl Signer for SigningKey {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    #[expect(clippy::expect_used, reason = "Ed25519 signs any message; the key was checked when it was made")]
    fn sign(&self, message: &[u8]) -> Signature {
        let signature = self.pair.sign(message);
        Signature(signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes"))
    }
}

/// Checks a signature.
pub fn verify(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    UnparsedPublicKey::new(&ED25519, key.0).verify(message, &signature.0).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{domain::hex::unhex, ports::entropy::SeededEntropy};

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn signatures_are_those_of_the_rfc() {
        let seed: [u8; 32] = unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let key = SigningKey::of(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()).unwrap();
        let public = unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c").unwrap();
        assert_eq!(key.public_key().0, public);
        let signature = unhex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        )
        .unwrap();
        assert_eq!(key.sign(&[0x72]).0, signature);
        assert!(verify(&key.public_key(), &[0x72], &key.sign(&[0x72])));
        assert!(!verify(&key.public_key(), &[0x73], &key.sign(&[0x72])));
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let entropy = SeededEntropy::default();
        let made = SigningKey::load_or_make(folder.path(), &entropy).unwrap();
        let again = SigningKey::load_or_make(folder.path(), &entropy).unwrap();
        assert_eq!(made.public_key(), again.public_key());
        let permissions = fs::metadata(folder.path().join(KEY_FILE)).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, 0o600);
    }

    #[test]
    fn pem_is_read_and_anything_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        // The example key of RFC 8410, section 10.3.
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
        fs::write(&path, pem).unwrap();
        let key = SigningKey::load(&path).unwrap();
        assert_eq!(key.public_key().to_string(), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
        fs::write(&path, "-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n").unwrap();
        assert!(matches!(SigningKey::load(&path), Err(KeyError::Form(_))));
        assert!(matches!(SigningKey::load(&folder.path().join("none")), Err(KeyError::Io(..))));
    }
}
