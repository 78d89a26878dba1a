//! `towline servers`: at which signal servers the running device is.

use std::io::Read;
use std::path::Path;

use serde::Serialize;
use towline_engine::LocalClient;
use towline_engine::view::{
    CommandView, ScopeView, Secret, ServerStateView, ServerView, ServersSetByView, View,
};

use crate::ServersAction;
use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;

/// What a script gets.
#[derive(Debug, Serialize)]
struct Listing<'a> {
    servers: Vec<Listed<'a>>,
    set_by: ServersSetByView,
    usual: Option<&'a str>,
}

/// One server of a device, and how the session with it stands; without one within the local network.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    url: &'a str,
    state: Option<&'a ServerStateView>,
}

pub(crate) async fn run(
    home: &Path,
    action: Option<ServersAction>,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let view = client.view().await?;
    let Some(action) = action else {
        say(&view, output);
        return Ok(());
    };
    let servers = wished(action, &view.server)?;
    let servers = servers.map(|urls| urls.into_iter().map(Secret::new).collect());
    client.command(CommandView::SetServers { servers }).await?;
    // Whoever goes on relies on it: it holds when the device has begun anew.
    let mut view = client.watch().await?;
    while view.device.begins_anew {
        view = client.next_view().await?;
    }
    say(&view, output);
    Ok(())
}

/// The servers that are to be from now on; those of the build when `None`.
fn wished(action: ServersAction, now: &ServerView) -> Result<Option<Vec<String>>, Failure> {
    Ok(match action {
        ServersAction::Set { urls } => Some(said(urls)?),
        ServersAction::Add { url } => {
            let mut all = now.own.clone();
            all.extend(said(vec![url])?);
            Some(all)
        }
        ServersAction::Remove { url } => {
            if !now.own.contains(&url) {
                let sentence = "that is none of its servers; `towline servers` lists them";
                return Err(Failure::new("unknown_server", sentence.to_owned()));
            }
            let mut all = now.own.clone();
            all.retain(|own| *own != url);
            Some(all)
        }
        ServersAction::None => Some(Vec::new()),
        ServersAction::Default => None,
    })
}

/// The addresses themselves, or those in the lines of standard input for a single `-`.
fn said(urls: Vec<String>) -> Result<Vec<String>, Failure> {
    if urls != ["-"] {
        return Ok(urls);
    }
    let mut text = String::new();
    let read = std::io::stdin()
        .take(INPUT_BYTES_MAX)
        .read_to_string(&mut text);
    read.map_err(|error| Failure::new("input", format!("cannot read standard input: {error}")))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

/// Most that is read of addresses: 4 KiB, three of the longest with tokens and room.
const INPUT_BYTES_MAX: u64 = 4 * 1024;

fn say(view: &View, output: &Output) {
    let server = &view.server;
    let listed = |url| Listed {
        url,
        state: state_of(server, url),
    };
    let listing = Listing {
        servers: server.own.iter().map(String::as_str).map(listed).collect(),
        set_by: server.set_by,
        usual: server.usual.as_deref(),
    };
    output.say(&listing, || told(view));
}

fn state_of<'a>(server: &'a ServerView, url: &str) -> Option<&'a ServerStateView> {
    if server.url.as_deref() == Some(url) {
        return Some(&server.state);
    }
    let mut others = server.others.iter();
    others
        .find(|other| other.url == url)
        .map(|other| &other.state)
}

fn told(view: &View) -> String {
    let server = &view.server;
    let mut lines: Vec<String> = server
        .own
        .iter()
        .map(|url| match state_of(server, url) {
            Some(state) => format!("{}: {}", plain(url), words::server(state)),
            None => format!("{}: not asked within the local network", plain(url)),
        })
        .collect();
    if lines.is_empty() {
        lines.push(
            match view.device.scope {
                ScopeView::LocalNetwork => "No signal server is set.",
                ScopeView::Everywhere => {
                    "No signal server is set, so this device meets others on the local network only. `towline servers add` names one, `towline serve` runs one."
                }
            }
            .to_owned(),
        );
    }
    lines.extend(words::servers_set_by(server.set_by).map(str::to_owned));
    lines.join("\n")
}
