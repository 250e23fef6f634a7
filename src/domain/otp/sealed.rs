//! Secrets at rest: AES-256-GCM under a key from the configuration, bound to tenant and user.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretBox, zeroize::Zeroize as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{SECRET_BYTES, Secret};
use crate::domain::{
    hex::hex,
    ids::{TenantName, UserId},
};

/// Separates these from everything else that such a key might be used for.
const PURPOSE: &[u8] = b"behalf/otp-secret/v1\0";

/// A sealed secret: of no use without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which key sealed it.
    key: String,
    /// base64.
    nonce: String,
    /// Ciphertext and tag, base64.
    data: String,
}

/// A key. Its `Debug` shows its name only.
pub struct OtpKey {
    name: String,
    bytes: SecretBox<[u8; 32]>,
}

impl std::fmt::Debug for OtpKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtpKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl OtpKey {
    /// `None` unless it has exactly 32 bytes. Its name is the beginning of a hash of it.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let key: [u8; 32] = bytes.try_into().ok()?;
        let name = Sha256::new().chain_update(b"behalf/otp-key-name/v1\0").chain_update(key).finalize();
        Some(Self { name: hex(name.get(..8)?), bytes: SecretBox::new(Box::new(key)) })
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.bytes.expose_secret()).ok().map(LessSafeKey::new)
    }
}

/// The keys: the first seals, all of them open.
#[derive(Debug)]
pub struct OtpKeys(Vec<OtpKey>);

impl OtpKeys {
    /// `None` if there is none.
    pub fn new(keys: Vec<OtpKey>) -> Option<Self> {
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// Seals a secret; the nonce is random and never used again. `None` if the cipher doesn't do it.
    pub fn seal(&self, secret: &Secret, nonce: [u8; NONCE_LEN], tenant: &TenantName, user: &UserId) -> Option<Sealed> {
        let key = self.0.first()?;
        let mut data = secret.bytes().to_vec();
        let aad = Aad::from(context(tenant, user));
        let sealed = key.cipher()?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut data);
        if sealed.is_err() {
            data.zeroize();
            return None;
        }
        Some(Sealed { key: key.name.clone(), nonce: STANDARD.encode(nonce), data: STANDARD.encode(data) })
    }

    /// Opens it. `None`: the key is not among these, or it was sealed for somebody else, or it was changed.
    pub fn open(&self, sealed: &Sealed, tenant: &TenantName, user: &UserId) -> Option<Secret> {
        let key = self.0.iter().find(|key| key.name == sealed.key)?;
        let nonce: [u8; NONCE_LEN] = STANDARD.decode(&sealed.nonce).ok()?.try_into().ok()?;
        let mut data = STANDARD.decode(&sealed.data).ok()?;
        let aad = Aad::from(context(tenant, user));
        let opened = key.cipher()?.open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut data).ok()?;
        let secret: Option<[u8; SECRET_BYTES]> = (&*opened).try_into().ok();
        data.zeroize();
        secret.map(Secret::new)
    }
}

/// A tenant's name has no zero byte, so the parts can't run into each other.
fn context(tenant: &TenantName, user: &UserId) -> Vec<u8> {
    [PURPOSE, tenant.as_str().as_bytes(), &[0], user.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> OtpKeys {
        OtpKeys::new(bytes.iter().map(|byte| OtpKey::new(&[*byte; 32]).unwrap()).collect()).unwrap()
    }

    fn names() -> (TenantName, UserId) {
        (TenantName::default_tenant(), UserId::parse("ann").unwrap())
    }

    fn sealed() -> Sealed {
        let (tenant, user) = names();
        keys(&[1]).seal(&Secret::new([5; SECRET_BYTES]), [9; NONCE_LEN], &tenant, &user).unwrap()
    }

    #[test]
    fn who_has_the_key_opens_it_in_its_place_only() {
        let (tenant, user) = names();
        let opened = keys(&[1]).open(&sealed(), &tenant, &user).unwrap();
        assert_eq!(opened.bytes(), &[5; SECRET_BYTES]);
        assert!(keys(&[2]).open(&sealed(), &tenant, &user).is_none());
        assert!(keys(&[1]).open(&sealed(), &tenant, &UserId::parse("bob").unwrap()).is_none());
        assert!(keys(&[1]).open(&sealed(), &TenantName::parse("acme").unwrap(), &user).is_none());
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_opens() {
        let (tenant, user) = names();
        let both = keys(&[2, 1]);
        assert!(both.open(&sealed(), &tenant, &user).is_some());
        let new = both.seal(&Secret::new([5; SECRET_BYTES]), [9; NONCE_LEN], &tenant, &user).unwrap();
        assert!(keys(&[1]).open(&new, &tenant, &user).is_none());
        assert!(keys(&[2]).open(&new, &tenant, &user).is_some());
    }

    #[test]
    fn a_changed_bit_opens_nothing() {
        let (tenant, user) = names();
        let good = sealed();
        let mut raw = STANDARD.decode(&good.data).unwrap();
        for at in 0..raw.len() {
            raw[at] ^= 1;
            let bad = Sealed { data: STANDARD.encode(&raw), ..good.clone() };
            assert!(keys(&[1]).open(&bad, &tenant, &user).is_none(), "{at}");
            raw[at] ^= 1;
        }
    }

    #[test]
    fn nothing_of_key_or_secret_is_shown() {
        let text = format!("{:?} {}", keys(&[65]), serde_json::to_string(&sealed()).unwrap());
        assert!(!text.contains("65, 65") && !text.contains("AAAA"), "{text}");
        assert!(!text.contains(&STANDARD.encode([5; SECRET_BYTES])), "{text}");
    }

    #[test]
    fn a_key_has_32_bytes() {
        assert!(OtpKey::new(&[0; 31]).is_none() && OtpKey::new(&[0; 33]).is_none() && OtpKeys::new(vec![]).is_none());
    }
}
