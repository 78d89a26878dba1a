//! `towline update`, and the look for a newer version that a daemon takes daily.
//!
//! Only told: what installed this program (a package, an archive) brings the next one. What was found is kept in the
//! home, where `towline status` finds it.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;
use towline_engine::updates::{
    CheckError, Kept, Publisher, UpdateRule, UpdateSettings, Version, next_check,
};
use towline_engine::view::ScopeView;
use towline_engine::{Handle, LocalClient};

use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;

/// What a script gets.
#[derive(Debug, Serialize)]
struct Update<'a> {
    version: &'static str,
    newer: Option<&'a str>,
    notes: Option<&'a str>,
}

/// What a script gets when a daemon has found a newer version.
#[derive(Debug, Serialize)]
struct Newer<'a> {
    event: &'static str,
    version: &'a str,
}

/// Asks now, and says what there is.
pub(crate) async fn check(home: &Path, output: &Output) -> Result<(), Failure> {
    let publisher = Publisher::of_this_build().ok_or_else(|| {
        let why = "this build has no updates: it was built from source";
        Failure::new("update_development", why.to_owned())
    })?;
    let settings = settings(home, None)?;
    if settings.rule == UpdateRule::Off {
        let why = "updates are switched off by a file of settings";
        return Err(Failure::new("update_off", why.to_owned()));
    }
    // Without a daemon nobody knows how far the device goes; who asks by hand wants to know.
    if let Ok(mut client) = LocalClient::connect(home).await
        && client.view().await?.device.scope == ScopeView::LocalNetwork
    {
        let why = "this device stays within the local network; `towline lan-only off` ends that";
        return Err(Failure::new("update_local_network", why.to_owned()));
    }
    ask(home, &publisher, &settings)
        .await
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let kept = Kept::read(home);
    let newer = kept.newer_than(&here());
    let version = newer.map(|found| found.version.to_string());
    let update = Update {
        version: env!("CARGO_PKG_VERSION"),
        newer: version.as_deref(),
        notes: newer.map(|found| found.notes.as_str()),
    };
    output.say(&update, || match newer {
        None => words::up_to_date(update.version),
        Some(found) => {
            let notes: Vec<_> = found.notes.lines().map(plain).collect();
            let version = plain(&found.version.to_string());
            format!("{}\n\n{}", words::newer_version(&version), notes.join("\n"))
        }
    });
    Ok(())
}

/// Asks daily, as long as the daemon runs and may; tells its person once for each version.
pub(crate) async fn watch(home: &Path, proxy: Option<&str>, engine: &Handle, output: &Output) {
    let Some(publisher) = Publisher::of_this_build() else {
        return std::future::pending().await;
    };
    let (mut told, mut asked) = (None, 0_u32);
    loop {
        let since = Kept::read(home).since_answer(SystemTime::now());
        let draw = RandomState::new().hash_one(asked);
        // Its upper half is as random.
        tokio::time::sleep(next_check(asked, since, (draw >> 32) as u32)).await;
        asked = asked.saturating_add(1);
        if engine.view().device.scope == ScopeView::LocalNetwork {
            continue;
        }
        let Ok(settings) = settings(home, proxy) else {
            continue;
        };
        // Asked again within the hour; until then nobody misses anything.
        if ask(home, &publisher, &settings).await.is_err() {
            continue;
        }
        let kept = Kept::read(home);
        let newer = kept
            .newer_than(&here())
            .map(|found| found.version.to_string());
        if newer.is_some() && newer != told {
            told = newer;
            let version = told.as_deref().unwrap_or_default();
            let event = Newer {
                event: "update",
                version,
            };
            output.say(&event, || words::newer_version(&plain(version)));
        }
    }
}

/// What `towline status` says of a newer version, if one was found.
pub(crate) fn notice(home: &Path) -> Option<String> {
    Publisher::of_this_build()?;
    let kept = Kept::read(home);
    let found = kept.newer_than(&here())?;
    Some(words::newer_version(&plain(&found.version.to_string())))
}

async fn ask(
    home: &Path,
    publisher: &Publisher,
    settings: &UpdateSettings,
) -> Result<(), CheckError> {
    let newest = publisher.newest(settings, &here()).await?;
    let mut kept = Kept::read(home);
    kept.answered(newest.as_ref(), SystemTime::now());
    kept.write(home);
    Ok(())
}

fn settings(home: &Path, proxy: Option<&str>) -> Result<UpdateSettings, Failure> {
    UpdateSettings::read(home, proxy)
        .map_err(|error| Failure::new("start_settings", error.to_string()))
}

/// The version that runs.
fn here() -> Version {
    let text = env!("CARGO_PKG_VERSION");
    // Cargo has read it already.
    text.parse().unwrap_or(Version::new(0, 0, 0))
}
