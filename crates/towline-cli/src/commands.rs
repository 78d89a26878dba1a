//! The commands, one module per group.

pub(crate) mod brake;
pub(crate) mod conflicts;
pub(crate) mod diagnostics;
pub(crate) mod doctor;
pub(crate) mod folder;
pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod lan_only;
pub(crate) mod limits;
pub(crate) mod network;
pub(crate) mod package_files;
pub(crate) mod pairing;
pub(crate) mod peers;
pub(crate) mod rules;
pub(crate) mod servers;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod update;
pub(crate) mod web;

use towline_engine::view::{PeerView, View};

use crate::output::Failure;

/// The one peer that a person means by a name or the beginning of an id.
pub(crate) fn find_peer<'a>(view: &'a View, text: &str) -> Result<&'a PeerView, Failure> {
    let found = pick(&view.peers, text, |peer| (&peer.name, &peer.id));
    found.map_err(|several| match several {
        Pick::None => Failure::new(
            "unknown_peer",
            format!("there is no peer {text:?}; `towline peers` lists them"),
        ),
        Pick::Several => Failure::new(
            "ambiguous",
            format!("several peers match {text:?}; use more of the id"),
        ),
    })
}

/// Why nothing was picked.
pub(crate) enum Pick {
    None,
    Several,
}

/// Picks the one item whose name is `text`, or whose id begins with it.
pub(crate) fn pick<'a, T>(
    items: impl IntoIterator<Item = &'a T>,
    text: &str,
    names: impl Fn(&'a T) -> (&'a str, &'a str),
) -> Result<&'a T, Pick> {
    let items: Vec<&T> = items.into_iter().collect();
    let exact: Vec<&T> = items
        .iter()
        .copied()
        .filter(|item| names(item).0 == text)
        .collect();
    let matching = if exact.is_empty() {
        items
            .into_iter()
            .filter(|item| !text.is_empty() && names(item).1.starts_with(text))
            .collect()
    } else {
        exact
    };
    match matching.as_slice() {
        [] => Err(Pick::None),
        [only] => Ok(only),
        [..] => Err(Pick::Several),
    }
}
