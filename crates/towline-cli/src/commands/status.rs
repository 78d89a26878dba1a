//! `towline status` and `towline stop`.

use std::path::Path;

use towline_engine::LocalClient;
use towline_engine::view::{AnswerView, KeyPlace, ServersSetByView, View};

use super::{folder, peers, update};
use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;

pub(crate) async fn run(home: &Path, output: &Output) -> Result<(), Failure> {
    let view = LocalClient::connect(home).await?.view().await?;
    let newer = update::notice(home).map_or_else(String::new, |notice| format!("\n\n{notice}"));
    output.say(&view, || status(&view) + &newer);
    Ok(())
}

/// Says the status now and after every change, until the engine ends, somebody interrupts, or nobody reads it.
pub(crate) async fn watch(home: &Path, output: &Output) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let mut view = client.watch().await?;
    loop {
        output.say(&view, || format!("{}\n", status(&view)));
        if output.is_unread() {
            return Ok(());
        }
        view = client.next_view().await?;
    }
}

pub(crate) async fn stop(home: &Path, output: &Output) -> Result<(), Failure> {
    LocalClient::connect(home).await?.stop().await?;
    output.say(&AnswerView::Accepted, || "Stopping.".to_owned());
    Ok(())
}

fn status(view: &View) -> String {
    let key = match view.device.key_place {
        KeyPlace::Keyring => "in the system keyring",
        KeyPlace::File => "in a 0600 file (no usable keyring)",
    };
    let server = &view.server;
    let through = through(server.proxy.as_deref());
    let lock = match server.set_by {
        ServersSetByView::Administrator => {
            "\n    this computer's administrator has set the signal servers"
        }
        ServersSetByView::Start | ServersSetByView::Person | ServersSetByView::Build => "",
    };
    let others = server.others.iter().map(|other| {
        format!(
            "\n    also at {}{}: {}",
            plain(&other.url),
            self::through(other.proxy.as_deref()),
            words::server(&other.state)
        )
    });
    let others: String = others.collect();
    let twin = words::own_identity(view.device.identity);
    let network = words::local_network(view.device.scope, view.device.discovery);
    format!(
        "{}  ({})\n{twin}    key {key}\n    signal server {}{through}: {}{others}{lock}\n    {network}\n\n{}\n\n{}",
        plain(&view.device.name),
        peers::short(&view.device.id),
        plain(server.url.as_deref().unwrap_or("-")),
        words::server(&server.state),
        peers::list(&view.peers),
        folder::list(view)
    )
}

fn through(proxy: Option<&str>) -> String {
    proxy.map_or_else(String::new, |proxy| format!(" through {}", plain(proxy)))
}
