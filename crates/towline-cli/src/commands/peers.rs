//! `towline peers`: lists peers, or changes what is known of one.

use std::path::Path;

use towline_engine::view::{AnswerView, CommandView, PeerView};
use towline_engine::{LocalClient, ViewError};

use super::find_peer;
use crate::PeersAction;
use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;

pub(crate) async fn run(
    home: &Path,
    action: Option<PeersAction>,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let view = client.view().await?;
    let command = match action {
        None => {
            output.say(&view.peers, || list(&view.peers));
            return Ok(());
        }
        Some(PeersAction::Verify { peer }) => CommandView::Compare {
            peer: find_peer(&view, &peer)?.id.clone(),
            matches: true,
        },
        Some(PeersAction::Rename { peer, name }) => CommandView::RenamePeer {
            peer: find_peer(&view, &peer)?.id.clone(),
            name,
        },
        Some(PeersAction::AddAddress { peer, address }) => {
            let peer = find_peer(&view, &peer)?;
            let mut places = peer.places.clone();
            places.push(address);
            CommandView::PlacePeer {
                peer: peer.id.clone(),
                places,
            }
        }
        Some(PeersAction::RemoveAddress { peer, address }) => {
            let peer = find_peer(&view, &peer)?;
            let mut places = peer.places.clone();
            places.retain(|place| !place.eq_ignore_ascii_case(address.trim()));
            if places.len() == peer.places.len() {
                return Err(ViewError::new("unknown_place").into());
            }
            CommandView::PlacePeer {
                peer: peer.id.clone(),
                places,
            }
        }
        Some(PeersAction::Remove { peer }) => CommandView::RemovePeer {
            peer: find_peer(&view, &peer)?.id.clone(),
        },
    };
    let answer: AnswerView = client.command(command).await?;
    output.say(&answer, || "Done.".to_owned());
    Ok(())
}

/// All peers, two lines each, or three.
pub(crate) fn list(peers: &[PeerView]) -> String {
    if peers.is_empty() {
        return "No peers yet: `towline pair` here, `towline join` on the other device.".to_owned();
    }
    let lines = peers.iter().map(|peer| {
        let verified = if peer.verified {
            "verified"
        } else {
            "not verified"
        };
        let said = peer.places.iter().map(|place| (place, ""));
        let set = peer
            .places_set
            .iter()
            .map(|place| (place, "  (set in a file)"));
        let places: String = said
            .chain(set)
            .map(|(place, by)| format!("\n    At {place}{by}"))
            .collect();
        format!(
            "{}  ({}, {verified})\n{}    {}\n    {}{places}",
            plain(&peer.name),
            short(&peer.id),
            words::identity(peer.identity),
            words::link(&peer.link),
            words::compare(peer)
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The beginning of an id, as people type it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
