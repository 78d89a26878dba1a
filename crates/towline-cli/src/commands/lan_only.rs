//! `towline lan-only`: whether the running device stays within the local network.

use std::path::Path;

use serde::Serialize;
use towline_engine::LocalClient;
use towline_engine::view::{CommandView, ScopeView, SettingLock, View};

use crate::OnOff;
use crate::output::{Failure, Output};

/// What a script gets.
#[derive(Debug, Serialize)]
struct Listing {
    scope: ScopeView,
    scope_lock: SettingLock,
}

pub(crate) async fn run(home: &Path, wish: Option<OnOff>, output: &Output) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let Some(wish) = wish else {
        let view = client.view().await?;
        let listing = Listing {
            scope: view.device.scope,
            scope_lock: view.device.scope_lock,
        };
        output.say(&listing, || words(&view));
        return Ok(());
    };
    let scope = match wish {
        OnOff::On => ScopeView::LocalNetwork,
        OnOff::Off => ScopeView::Everywhere,
    };
    let answer = client.command(CommandView::SetScope { scope }).await?;
    // Whoever goes on relies on it: it holds when the device says so.
    let mut view = client.watch().await?;
    while view.device.scope != scope {
        view = client.next_view().await?;
    }
    output.say(&answer, || words(&view));
    Ok(())
}

fn words(view: &View) -> String {
    let how = match view.device.scope {
        ScopeView::LocalNetwork => {
            "This device stays within the local network: nothing leaves it, and no server is asked."
        }
        ScopeView::Everywhere => {
            "This device goes wherever the network leads; `towline lan-only on` keeps it within the local network."
        }
    };
    let who = match view.device.scope_lock {
        SettingLock::Open => "",
        SettingLock::Locked => {
            " Whoever started it has said so (--lan-only, its config.toml or this computer's policy), so it cannot be switched here."
        }
    };
    format!("{how}{who}")
}
