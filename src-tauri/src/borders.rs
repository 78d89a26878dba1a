//! The page stays in the app.
//!
//! It is made of what the app carries, and its policy (`tauri.conf.json`) lets it fetch nothing else; here
//! it is kept from being left for another page. Whoever shows a page in this window shows it to a
//! person who takes it for Towline.

use tauri::plugin::{Builder, TauriPlugin};
use tauri::{Url, Wry};
use tracing::warn;

/// Refuses every page but the app's own.
pub(crate) fn kept() -> TauriPlugin<Wry> {
    Builder::new("borders")
        .on_navigation(|_, url| {
            let ours = is_ours(url);
            if !ours {
                warn!("the page was to be left for another one, which is refused");
            }
            ours
        })
        .build()
}

/// Where the app's page lies: a scheme of its own, which Windows has as a host of its own. A development build takes
/// it from a server on this computer.
fn is_ours(url: &Url) -> bool {
    let host = url.host_str();
    match url.scheme() {
        "tauri" => host == Some("localhost"),
        "http" | "https" => {
            let is_carried = cfg!(windows) && host == Some("tauri.localhost");
            let is_served =
                tauri::is_dev() && host == Some("127.0.0.1") && url.port() == Some(1420);
            is_carried || is_served
        }
        "about" => url.path() == "blank",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_apps_own_page_is_shown() {
        for ours in [
            "tauri://localhost",
            "tauri://localhost/index.html",
            "about:blank",
        ] {
            assert!(is_ours(&ours.parse().unwrap()), "{ours}");
        }
        for other in [
            "https://example.org/",
            "http://localhost/",
            "http://127.0.0.1:8080/",
            "http://127.0.0.1:1420@example.org/",
            "tauri://example.org/",
            "tauri://localhost.example.org/",
            "file:///etc/passwd",
            "data:text/html,<h1>Towline</h1>",
            "javascript:alert(1)",
            "about:srcdoc",
            "blob:tauri://localhost/0",
        ] {
            assert!(!is_ours(&other.parse().unwrap()), "{other}");
        }
    }
}
