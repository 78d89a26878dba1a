//! Where the device key lives: the system's keyring, or a file that only this user may read.
//!
//! The home holds one small file, `key`, which either names the keyring entry or, where no keyring
//! is usable when the device is born, holds the key itself (mode 0600). The file decides from then
//! on: a keyring that is locked later is an error with a way out, never a reason for a new identity.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use keyring::v1::Entry;
use towline_core::identity::Identity;
use zeroize::Zeroizing;

use crate::view::KeyPlace;

/// The keyring service under which keys are kept.
const SERVICE: &str = "towline";
const IN_KEYRING: &str = "keyring:";
const IN_FILE: &str = "ed25519:";

/// Why there is no device key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The keyring that holds the key cannot be used now.
    #[error(
        "the system keyring that holds this device's key is locked or not running; unlock it (log in to the desktop session) and start again"
    )]
    Keyring(#[source] keyring::Error),
    /// The keyring is there, but the key is gone from it.
    #[error(
        "this device's key is no longer in the system keyring; restore it there, or remove {0} to begin a new identity (peers must be paired again)"
    )]
    Gone(PathBuf),
    /// The key file is neither of the two forms.
    #[error(
        "{0} is damaged; restore it from a backup, or remove it to begin a new identity (peers must be paired again)"
    )]
    Damaged(PathBuf),
    /// The key file cannot be read or written.
    #[error("cannot use {0}; check that this user may read and write it")]
    File(PathBuf, #[source] io::Error),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Random,
}

/// Which places a new key may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPreference {
    /// The keyring if it works, else a file.
    KeyringFirst,
    /// A file, without asking the keyring: for servers, and for tests of many devices.
    FileOnly,
}

/// Loads the key of the device at `home`, or makes one. Blocks on the keyring.
pub(crate) fn load_or_create(
    home: &Path,
    preference: KeyPreference,
) -> Result<(Identity, KeyPlace), KeyError> {
    let path = home.join("key");
    match fs::read_to_string(&path) {
        Ok(text) => load(&path, &Zeroizing::new(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(&path, preference),
        Err(error) => Err(KeyError::File(path, error)),
    }
}

fn load(path: &Path, text: &str) -> Result<(Identity, KeyPlace), KeyError> {
    let text = text.trim();
    if let Some(name) = text.strip_prefix(IN_KEYRING) {
        let secret = Entry::new(SERVICE, name)
            .and_then(|entry| entry.get_secret())
            .map_err(|error| {
                if matches!(error, keyring::Error::NoEntry) {
                    KeyError::Gone(path.to_owned())
                } else {
                    KeyError::Keyring(error)
                }
            })?;
        let secret = Zeroizing::new(secret);
        let seed = seed_of(&secret).ok_or_else(|| KeyError::Damaged(path.to_owned()))?;
        return Ok((Identity::from_seed(&seed), KeyPlace::Keyring));
    }
    let seed = text
        .strip_prefix(IN_FILE)
        .and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok())
        .and_then(|bytes| seed_of(&Zeroizing::new(bytes)))
        .ok_or_else(|| KeyError::Damaged(path.to_owned()))?;
    Ok((Identity::from_seed(&seed), KeyPlace::File))
}

/// A key that is not the device's yet.
pub(crate) struct NewKey {
    identity: Identity,
    place: KeyPlace,
    text: Zeroizing<String>,
}

impl NewKey {
    /// Makes it the key of the device at `home`, durably, in place of the one before.
    pub(crate) fn keep(self, home: &Path) -> Result<Identity, KeyError> {
        let path = home.join("key");
        write_private(&path, &self.text).map_err(|error| KeyError::File(path, error))?;
        Ok(self.identity)
    }
}

/// Makes a key that lives where the present one of the device at `home` does. Blocks on the keyring.
pub(crate) fn make_like(home: &Path) -> Result<NewKey, KeyError> {
    let path = home.join("key");
    let text = fs::read_to_string(&path).map(Zeroizing::new);
    let text = text.map_err(|error| KeyError::File(path, error))?;
    make(if text.starts_with(IN_FILE) {
        KeyPreference::FileOnly
    } else {
        KeyPreference::KeyringFirst
    })
}

fn create(path: &Path, preference: KeyPreference) -> Result<(Identity, KeyPlace), KeyError> {
    let key = make(preference)?;
    write_private(path, &key.text).map_err(|error| KeyError::File(path.to_owned(), error))?;
    Ok((key.identity, key.place))
}

fn make(preference: KeyPreference) -> Result<NewKey, KeyError> {
    let seed = random::<32>()?;
    let (text, place) = match preference {
        KeyPreference::KeyringFirst => match put_into_keyring(&seed)? {
            Some(name) => (format!("{IN_KEYRING}{name}"), KeyPlace::Keyring),
            None => (in_file(&seed), KeyPlace::File),
        },
        KeyPreference::FileOnly => (in_file(&seed), KeyPlace::File),
    };
    Ok(NewKey {
        identity: Identity::from_seed(&seed),
        place,
        text: Zeroizing::new(text),
    })
}

/// Puts a new key into the keyring and reads it back; `None` when there is no usable keyring.
fn put_into_keyring(seed: &[u8; 32]) -> Result<Option<String>, KeyError> {
    let name = format!("device-{}", HEXLOWER.encode(random::<8>()?.as_slice()));
    let kept = Entry::new(SERVICE, &name).and_then(|entry| {
        entry.set_secret(seed)?;
        entry.get_secret().map(Zeroizing::new)
    });
    match kept {
        Ok(kept) if kept.as_slice() == seed => Ok(Some(name)),
        Ok(_) => Ok(None),
        Err(error) => {
            tracing::info!(%error, "no usable keyring, the device key goes into a file");
            Ok(None)
        }
    }
}

fn in_file(seed: &[u8; 32]) -> String {
    format!("{IN_FILE}{}", HEXLOWER.encode(seed))
}

fn seed_of(bytes: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    bytes.try_into().ok().map(Zeroizing::new)
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, KeyError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| KeyError::Random)?;
    Ok(bytes)
}

/// Writes a new file that only this user may read, durably and all or nothing.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("new");
    // What an interrupted start left behind may have another mode.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    #[cfg(unix)]
    if let Some(home) = path.parent() {
        fs::File::open(home)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_file_is_private_and_stays_the_same() {
        let home = tempfile::tempdir().unwrap();
        let (first, place) = load_or_create(home.path(), KeyPreference::FileOnly).unwrap();
        assert_eq!(place, KeyPlace::File);
        let (again, _) = load_or_create(home.path(), KeyPreference::KeyringFirst).unwrap();
        assert_eq!(first.id(), again.id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(home.path().join("key"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_key_file_is_never_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("key");
        for junk in ["", "ed25519:zz", "ed25519:00", "something else"] {
            fs::write(&path, junk).unwrap();
            let error = load_or_create(home.path(), KeyPreference::FileOnly).unwrap_err();
            assert!(matches!(error, KeyError::Damaged(_)), "{junk:?}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), junk);
        }
    }
}
