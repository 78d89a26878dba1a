//! `cargo xtask release-key`: makes the pair of keys that signs updates.
//!
//! The private one goes into a directory outside the repository, under a password that is asked for; the public one is
//! printed, as releases are built with it. Who has the private key and its password can bring any program to every
//! computer that has Towline: `docs/RELEASE.md` says how they are kept and exchanged.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::repo::Repo;
use crate::report::say;
use crate::run;

/// Options of `cargo xtask release-key`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseKeyArgs {
    /// The directory where the private key goes, outside the repository; it is made if it is not there.
    directory: PathBuf,
}

/// Runs the chore.
pub(crate) fn release_key(repo: &Repo, args: &ReleaseKeyArgs) -> Result<()> {
    if !repo.has(SIGNER) {
        bail!("what signs is not here; run `npm ci` in ui");
    }
    let directory = &args.directory;
    private(directory)?;
    outside(repo.root(), directory)?;
    let key = directory.join(KEY);
    if key.exists() {
        bail!(
            "{} is there already, and is never overwritten",
            key.display()
        );
    }
    say("The password is asked for twice, and is not shown.");
    let mut make = repo.command(&repo.path(SIGNER).to_string_lossy());
    make.args(["signer", "generate", "-w"]).arg(&key);
    run::run(&mut make)?;
    let closed = only_ours(&key).and_then(|()| closed(repo, directory, &key));
    if let Err(error) = closed {
        // Nobody has used it yet.
        fs::remove_file(&key).with_context(|| format!("removing {}", key.display()))?;
        return Err(error);
    }
    let public = directory.join(format!("{KEY}.pub"));
    let public = fs::read_to_string(&public).context("reading the public key")?;
    say(format!("Private key: {}", key.display()));
    say(format!("TOWLINE_UPDATE_KEY={}", public.trim()));
    say("How both are kept: docs/RELEASE.md.");
    Ok(())
}

/// Makes the directory, for this user alone.
fn private(directory: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    let made = builder.create(directory);
    made.with_context(|| format!("making {}", directory.display()))
}

/// A key in a checkout is a key that is committed some day.
fn outside(root: &Path, directory: &Path) -> Result<()> {
    let whole = |path: &Path| {
        let whole = path.canonicalize();
        whole.with_context(|| format!("looking for {}", path.display()))
    };
    let (root, directory) = (whole(root)?, whole(directory)?);
    let is_checkout = directory
        .ancestors()
        .any(|above| above.join(".git").exists());
    if directory.starts_with(root) || is_checkout {
        bail!(
            "{} lies in a checkout; choose a place outside",
            directory.display()
        );
    }
    Ok(())
}

fn only_ours(key: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let permissions = fs::Permissions::from_mode(0o600);
        fs::set_permissions(key, permissions).context("closing the key to others")?;
    }
    #[cfg(not(unix))]
    let _home_is_closed = key;
    Ok(())
}

/// Holds that the key cannot be used without a password.
fn closed(repo: &Repo, directory: &Path, key: &Path) -> Result<()> {
    let probe = directory.join("probe");
    fs::write(&probe, "probe").context("writing something to sign")?;
    let mut sign = repo.command(&repo.path(SIGNER).to_string_lossy());
    sign.args(["signer", "sign", "-p", "", "-f"])
        .arg(key)
        .arg(&probe);
    let opens = run::succeeds(&mut sign);
    for left in [probe.clone(), directory.join("probe.sig")] {
        if left.exists() {
            fs::remove_file(&left).with_context(|| format!("removing {}", left.display()))?;
        }
    }
    if opens {
        bail!("the key has no password; nobody could tell who has copied it");
    }
    Ok(())
}

/// Tauri's command line, as npm installs it.
const SIGNER: &str = "ui/node_modules/.bin/tauri";

/// The private key.
const KEY: &str = "towline-release.key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_made_in_a_checkout() {
        let repo = Repo::find().unwrap();
        for inside in [
            repo.root().to_owned(),
            repo.path("docs"),
            repo.path("crates/../ui"),
        ] {
            let refused = outside(repo.root(), &inside).unwrap_err().to_string();
            assert!(refused.contains("lies in a checkout"), "{refused}");
        }
        let elsewhere = std::env::temp_dir();
        assert!(outside(repo.root(), &elsewhere).is_ok());
        assert!(outside(repo.root(), &elsewhere.join("not there")).is_err());
    }
}
