//! Linux: without a graphics card the page is painted by the processor itself.
//!
//! WebKit paints by the card. Where there is none, it would have one modelled in software: a compiler of 100 MiB
//! that paints a page which mostly rests no sooner. WebKit is told by its environment, which whoever starts the app may set
//! otherwise; its own setting for it ends its process when it is given to a page that exists (2.48).

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// Tells WebKit, before there is one, and before there are threads that read the environment.
pub(crate) fn prepare() {
    if has_card(Path::new(CARDS)) {
        return;
    }
    for name in WITHOUT_CARD {
        // It fails only for names that cannot be.
        let _ = gtk::glib::setenv(name, "1", false);
    }
}

/// Whether the system has something that renders.
fn has_card(cards: &Path) -> bool {
    let is_renderer = |name: &OsStr| name.to_string_lossy().starts_with("renderD");
    fs::read_dir(cards)
        .is_ok_and(|cards| cards.flatten().any(|card| is_renderer(&card.file_name())))
}

/// Where Linux shows them.
const CARDS: &str = "/dev/dri";

/// No layers that a card would put together, and none that are passed on in a card's memory.
const WITHOUT_CARD: [&str; 2] = [
    "WEBKIT_DISABLE_COMPOSITING_MODE",
    "WEBKIT_DISABLE_DMABUF_RENDERER",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_alone_is_no_card() {
        let place = tempfile::tempdir().unwrap();
        let cards = place.path();
        assert!(!has_card(&cards.join("none")));
        fs::write(cards.join("card0"), "").unwrap();
        assert!(!has_card(cards));
        fs::write(cards.join("renderD128"), "").unwrap();
        assert!(has_card(cards));
    }
}
