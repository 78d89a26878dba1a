//! What a publisher announces: a channel's newest release, signed as a whole.
//!
//! The manifest is JSON as Tauri's updater has it (`version`, `notes`, `platforms`), and its signature is minisign's,
//! in base64. Nothing of it is read before the signature is found to be right.

use data_encoding::BASE64;
use minisign_verify::{PublicKey, Signature};
use semver::Version;
use serde::Deserialize;

/// Longest notes in characters: 8000, some pages. What is longer is cut.
const NOTES_CHARS_MAX: usize = 8000;

/// A release, as its publisher announces it.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// What is new in it, in its publisher's words; empty when nobody has said.
    pub notes: String,
    /// The whole manifest, for who installs it.
    pub manifest: serde_json::Value,
}

/// Why a manifest is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is not signed by the publisher's key, or was changed since.
    #[error("the manifest is not signed by the publisher's key")]
    Signature,
    /// It is signed, and says nothing that can be understood.
    #[error("the manifest is not understood")]
    Malformed,
}

#[derive(Deserialize)]
struct Announced {
    version: String,
    #[serde(default)]
    notes: Option<String>,
}

/// Reads a publisher's key: what `cargo xtask release-key` prints, which is the base64 of minisign's file.
pub(super) fn read_key(text: &str) -> Option<PublicKey> {
    PublicKey::decode(&unwrapped(text)?).ok()
}

/// Believes a manifest that `key` has signed.
pub(super) fn read(
    key: &PublicKey,
    bytes: &[u8],
    signature: &str,
) -> Result<Release, ManifestError> {
    let signature = unwrapped(signature).ok_or(ManifestError::Signature)?;
    let signature = Signature::decode(&signature).map_err(|_| ManifestError::Signature)?;
    key.verify(bytes, &signature, false)
        .map_err(|_| ManifestError::Signature)?;
    let malformed = |_| ManifestError::Malformed;
    let manifest: serde_json::Value = serde_json::from_slice(bytes).map_err(malformed)?;
    let announced = Announced::deserialize(&manifest).map_err(malformed)?;
    let version = announced.version.trim_start_matches('v').parse();
    Ok(Release {
        version: version.map_err(|_| ManifestError::Malformed)?,
        notes: notes(&announced.notes.unwrap_or_default()),
        manifest,
    })
}

fn notes(text: &str) -> String {
    text.trim().chars().take(NOTES_CHARS_MAX).collect()
}

fn unwrapped(text: &str) -> Option<String> {
    String::from_utf8(BASE64.decode(text.trim().as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Made by `tauri signer` for these tests; the private key was thrown away.
    const KEY: &str = include_str!("manifest/test.key.pub");
    const OTHER_KEY: &str = include_str!("manifest/other.key.pub");
    const MANIFEST: &[u8] = include_bytes!("manifest/test.json");
    const SIGNATURE: &str = include_str!("manifest/test.json.sig");

    fn key() -> PublicKey {
        read_key(KEY).unwrap()
    }

    #[test]
    fn a_signed_manifest_is_read() {
        let release = read(&key(), MANIFEST, SIGNATURE).unwrap();
        assert_eq!(release.version, Version::new(0, 2, 0));
        assert_eq!(release.notes, "Folders are faster.");
        assert!(release.manifest["platforms"]["linux-x86_64"].is_object());
    }

    #[test]
    fn one_changed_byte_anywhere_is_not_believed() {
        for at in 0..MANIFEST.len() {
            let mut changed = MANIFEST.to_vec();
            changed[at] ^= 1;
            assert_eq!(
                read(&key(), &changed, SIGNATURE),
                Err(ManifestError::Signature)
            );
        }
    }

    #[test]
    fn another_key_is_not_believed() {
        let other = read_key(OTHER_KEY).unwrap();
        assert_eq!(
            read(&other, MANIFEST, SIGNATURE),
            Err(ManifestError::Signature)
        );
        assert!(read_key("").is_none() && read_key("PLACEHOLDER").is_none());
    }

    #[test]
    fn notes_are_cut_where_they_have_no_end() {
        assert_eq!(notes(&"ä".repeat(9000)).chars().count(), NOTES_CHARS_MAX);
        assert_eq!(notes(" \n"), "");
    }

    proptest! {
        #[test]
        fn junk_is_no_signature(bytes in any::<Vec<u8>>(), signature in any::<String>()) {
            prop_assert!(read(&key(), &bytes, &signature).is_err());
            prop_assert!(read(&key(), &bytes, &BASE64.encode(signature.as_bytes())).is_err());
        }
    }
}
