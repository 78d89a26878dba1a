//! A release on its way here, by Tauri's updater.
//!
//! The manifest is believed already; the updater picks this system's part of it, fetches it, and demands that it is
//! signed by the publisher's key for exactly this version: an older release that somebody announces as a new one
//! is refused. A connection that stands still is given up.

use std::time::Duration;

use tauri::AppHandle;
use tauri::Url;
use tauri_plugin_updater::{Error, Update, UpdaterBuilder, UpdaterExt};
use towline_engine::updates::{Publisher, Release, UpdateSettings};
use tracing::{debug, warn};

use super::machine::{Input, When};
use super::place;

/// Longest silence while something is fetched: 30 s.
const SILENCE: Duration = Duration::from_secs(30);

/// Largest release in bytes: 1 GiB, ten times the largest bundle; it is held in memory until it is installed.
const BYTES_MAX: u64 = 1 << 30;

/// Bytes between two words to the page: 256 KiB, some hundred for a bundle.
const TELL_EVERY: u64 = 256 * 1024;

/// What every file for Linux begins with that can run.
const ELF: &[u8] = b"\x7fELF";

/// A release that is here, as its publisher has signed it.
pub(super) struct Fetched {
    update: Update,
    bytes: Vec<u8>,
}

/// Fetches this system's part of a release, and tells how far it is. Errors are codes.
pub(super) async fn fetch(
    app: &AppHandle,
    release: &Release,
    publisher: &Publisher,
    settings: &UpdateSettings,
    tell: impl Fn(Input),
) -> Result<Fetched, &'static str> {
    let update = update(app, release, publisher, settings).map_err(code)?;
    let (mut got_bytes, mut told_bytes) = (0_u64, 0);
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let pieces = |piece: usize, total_bytes: Option<u64>| {
        got_bytes += piece as u64;
        if got_bytes > BYTES_MAX {
            stop.send_replace(true);
        }
        if got_bytes - told_bytes >= TELL_EVERY || Some(got_bytes) == total_bytes {
            told_bytes = got_bytes;
            tell(Input::Progress {
                got_bytes,
                total_bytes,
            });
        }
    };
    let bytes = tokio::select! {
        bytes = update.download(pieces, || ()) => bytes.map_err(code)?,
        _ = stopped.wait_for(|stop| *stop) => return Err("download"),
    };
    Ok(Fetched { update, bytes })
}

impl Fetched {
    /// Installs it. Errors are codes.
    pub(super) fn install(self, app: &AppHandle, when: When) -> Result<(), &'static str> {
        let Self { update, bytes } = self;
        let single = place::single_file(app).map_err(|error| disk(&error))?;
        let Some(file) = single else {
            let again = when == When::Now;
            return update
                .restart_after_install(again)
                .install(bytes)
                .map_err(code);
        };
        update.verify(&bytes).map_err(code)?;
        if !bytes.starts_with(ELF) {
            return Err("install");
        }
        place::replace(&file, &bytes).map_err(|error| disk(&error))
    }
}

impl std::fmt::Debug for Fetched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Fetched({}, {} bytes)",
            self.update.version,
            self.bytes.len()
        )
    }
}

fn update(
    app: &AppHandle,
    release: &Release,
    publisher: &Publisher,
    settings: &UpdateSettings,
) -> Result<Update, Error> {
    // Tauri's updater does so when it asks for a manifest, which it does not here. There may be one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nowhere: Url = "https://nowhere.invalid".parse()?;
    let builder = app
        .updater_builder()
        .pubkey(publisher.key())
        // The manifest is here, so nobody is asked for one.
        .endpoints(vec![nowhere])?
        .header("User-Agent", "towline")?
        .configure_client(|client| {
            client
                .https_only(cfg!(not(debug_assertions)))
                .read_timeout(SILENCE)
                .connect_timeout(SILENCE)
        });
    let updater = through(builder, settings.proxy.as_deref())?.build()?;
    let update = updater.restore_update(release.manifest.clone())?;
    update.ok_or(Error::ReleaseNotFound)
}

fn through(builder: UpdaterBuilder, proxy: Option<&str>) -> Result<UpdaterBuilder, Error> {
    match proxy {
        None => Ok(builder),
        Some("") => Ok(builder.no_proxy()),
        Some(url) => Ok(builder.proxy(url.parse()?)),
    }
}

fn disk(error: &std::io::Error) -> &'static str {
    warn!(%error, "the app cannot be replaced");
    "disk"
}

/// What a page has words for.
fn code(error: Error) -> &'static str {
    debug!(%error, "no update");
    let is = |tested: bool, code| tested.then_some(code);
    is(
        matches!(
            error,
            Error::Minisign(_) | Error::Base64(_) | Error::SignatureUtf8(_)
        ),
        "signature",
    )
    .or(is(
        matches!(
            error,
            Error::MissingSignedVersion | Error::SignedVersionMismatch { .. }
        ),
        "signed_version",
    ))
    .or(is(
        matches!(error, Error::TargetNotFound(_) | Error::TargetsNotFound(_)),
        "no_build",
    ))
    .or(is(
        matches!(error, Error::Reqwest(_) | Error::Network(_)),
        "download",
    ))
    .or(is(
        matches!(
            error,
            Error::AuthenticationFailed | Error::PackageInstallFailed | Error::DebInstallFailed
        ),
        "rights",
    ))
    .or(is(matches!(error, Error::Io(_)), "disk"))
    .unwrap_or("install")
}
