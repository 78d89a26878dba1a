//! The manifest of a channel: what the updater and `towline update` read.
//!
//! It names a version, its notes, and for each kind of bundle where it lies and what its signature is. Signatures
//! lie beside the bundles already (`.sig`), each for exactly this version; the manifest is signed afterwards like them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

/// Options of `cargo xtask manifest`.
#[derive(Debug, Args)]
pub(crate) struct ManifestArgs {
    /// Where the signed bundles lie.
    bundles: PathBuf,
    /// Their version.
    #[arg(long)]
    version: String,
    /// Where they will be found, without their names.
    #[arg(long, value_name = "URL")]
    base: String,
    /// A file with what is new, as text.
    #[arg(long, value_name = "FILE")]
    notes: PathBuf,
    /// Where it is written.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Runs the chore.
pub(crate) fn manifest(args: &ManifestArgs) -> Result<()> {
    let notes = fs::read_to_string(&args.notes).context("reading what is new")?;
    let platforms = platforms(&args.bundles, &args.base)?;
    if platforms.is_empty() {
        bail!("no signed bundle lies in {}", args.bundles.display());
    }
    let manifest = json!({
        "version": args.version.trim_start_matches('v'),
        "notes": notes.trim(),
        "platforms": platforms,
    });
    let text = serde_json::to_string_pretty(&manifest).context("writing JSON")?;
    fs::write(&args.to, text + "\n").context("writing the manifest")
}

fn platforms(bundles: &Path, base: &str) -> Result<Map<String, Value>> {
    let mut platforms = Map::new();
    for entry in fs::read_dir(bundles).context("listing the bundles")? {
        let path = entry.context("listing the bundles")?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let signature = bundles.join(format!("{name}.sig"));
        let keys = keys(name);
        if keys.is_empty() || !signature.exists() {
            continue;
        }
        let signature = fs::read_to_string(signature).context("reading a signature")?;
        let url = format!("{}/{name}", base.trim_end_matches('/'));
        for key in keys {
            let entry = json!({ "url": url, "signature": signature.trim() });
            if platforms.insert(key.clone(), entry).is_some() {
                bail!("two bundles are for {key}");
            }
        }
    }
    Ok(platforms)
}

/// Whom a bundle is for, as the updater asks: the system, the processor, and how it was installed.
fn keys(name: &str) -> Vec<String> {
    let processor = if name.contains("aarch64") || name.contains("arm64") {
        "aarch64"
    } else {
        "x86_64"
    };
    let linux = |kind: &str| vec![format!("linux-{processor}-{kind}")];
    if name.ends_with(".AppImage") {
        // A program that lies somewhere by itself is replaced by one that does, too.
        let plain = format!("linux-{processor}");
        return [linux("appimage"), vec![plain]].concat();
    }
    if name.ends_with(".deb") {
        return linux("deb");
    }
    if name.ends_with(".rpm") {
        return linux("rpm");
    }
    if name.ends_with(".app.tar.gz") {
        // One bundle holds both processors.
        return vec!["darwin-x86_64".to_owned(), "darwin-aarch64".to_owned()];
    }
    if name.ends_with(".msi") {
        return vec![format!("windows-{processor}-msi")];
    }
    if name.ends_with("-setup.exe") {
        return vec![
            format!("windows-{processor}-nsis"),
            format!("windows-{processor}"),
        ];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bundle_is_for_those_who_ask_for_it() {
        for (name, wanted) in [
            ("Towline_0.2.0_amd64.deb", "linux-x86_64-deb"),
            ("Towline_0.2.0_arm64.deb", "linux-aarch64-deb"),
            ("Towline-0.2.0-1.aarch64.rpm", "linux-aarch64-rpm"),
            (
                "Towline_0.2.0_amd64.AppImage",
                "linux-x86_64-appimage linux-x86_64",
            ),
            ("Towline.app.tar.gz", "darwin-x86_64 darwin-aarch64"),
            ("Towline_0.2.0_x64_en-US.msi", "windows-x86_64-msi"),
            (
                "Towline_0.2.0_x64-setup.exe",
                "windows-x86_64-nsis windows-x86_64",
            ),
            ("Towline_0.2.0_amd64.deb.sig", ""),
            ("Towline_0.2.0_universal.dmg", ""),
            ("towline-0.2.0-x86_64-linux.tar.gz", ""),
        ] {
            assert_eq!(keys(name).join(" "), wanted, "{name}");
        }
    }
}
