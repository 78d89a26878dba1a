//! The tray of Linux desktops: a StatusNotifierItem with its menu, on the session bus.
//!
//! A *watcher* knows the items, a *host* draws them; either may be missing or come later, so both
//! are asked first and followed. No library draws anything here; the desktop's own panel does. Specifications: freedesktop.org's
//! StatusNotifierItem, and `com.canonical.dbusmenu` (version 3) for the menu.
//!
//! Tauri's tray loads libayatana-appindicator, which need not be there, tells nobody whether a host is, and shows the menu
//! only: a press on the sign would not open the window.

mod menu;

use std::sync::Arc;

use futures_util::StreamExt;
use tauri::AppHandle;
use tracing::{debug, info};
use zbus::object_server::SignalEmitter;
use zbus::zvariant::ObjectPath;
use zbus::{Connection, interface, proxy};

use menu::Menu;

use super::{Line, Sign, Tray, Wish, pictures};

/// Where an item lies for hosts that are told only a name.
const ITEM: &str = "/StatusNotifierItem";
const MENU: &str = "/StatusNotifierItem/Menu";

/// The one who knows all items of the desktop.
#[proxy(
    interface = "org.kde.StatusNotifierWatcher",
    default_service = "org.kde.StatusNotifierWatcher",
    default_path = "/StatusNotifierWatcher",
    gen_blocking = false
)]
trait Watcher {
    fn register_status_notifier_item(&self, service: &str) -> zbus::Result<()>;
    /// Asked anew each time: not every watcher tells its changes.
    #[zbus(property(emits_changed_signal = "false"))]
    fn is_status_notifier_host_registered(&self) -> zbus::Result<bool>;
    #[zbus(signal)]
    fn status_notifier_host_registered(&self) -> zbus::Result<()>;
    #[zbus(signal)]
    fn status_notifier_host_unregistered(&self) -> zbus::Result<()>;
}

/// Keeps the sign on the session bus, if there is one.
pub(super) async fn live(tray: &Tray, app: &AppHandle, heed: fn(&AppHandle, Wish)) {
    let app = app.clone();
    let heeds = Arc::new(move |wish| {
        let on_main_thread = app.clone();
        let told = app.run_on_main_thread(move || heed(&on_main_thread, wish));
        if let Err(error) = told {
            debug!(%error, "nobody heeds the tray: the app ends");
        }
    });
    let lived = match Connection::session().await {
        Ok(bus) => live_on(&bus, tray, heeds).await,
        Err(fault) => Err(fault),
    };
    if let Err(fault) = lived {
        debug!(%fault, "there is no tray");
    }
}

/// Who hears what people wish.
type Heeds = Arc<dyn Fn(Wish) + Send + Sync>;

/// Keeps the sign on this bus until the bus is gone.
async fn live_on(bus: &Connection, tray: &Tray, heeds: Heeds) -> zbus::Result<()> {
    let mut sign = tray.sign.subscribe();
    let first = sign.wait_for(Option::is_some).await;
    let Some(first) = first.ok().and_then(|sign| sign.clone()) else {
        return Ok(());
    };
    let served = bus.object_server();
    let item = Item {
        sign: first.clone(),
        heeds: Arc::clone(&heeds),
    };
    served.at(ITEM, item).await?;
    served.at(MENU, Menu::new(first, heeds)).await?;

    let watcher = WatcherProxy::new(bus).await?;
    let mut owners = watcher.inner().receive_owner_changed().await?;
    let mut hosts = watcher.receive_status_notifier_host_registered().await?;
    let mut no_hosts = watcher.receive_status_notifier_host_unregistered().await?;
    let mut is_known = false;
    loop {
        // Without a watcher there is nobody to ask.
        let has_host = watcher
            .is_status_notifier_host_registered()
            .await
            .unwrap_or(false);
        if has_host && !is_known {
            is_known = register(bus, &watcher).await;
        }
        let is_shown = has_host && is_known;
        if is_shown != *tray.is_shown.borrow() {
            info!(is_shown, "the tray has changed");
            tray.set_shown(is_shown);
        }
        tokio::select! {
            owner = owners.next() => match owner {
                // A new watcher knows nobody.
                Some(_) => is_known = false,
                None => return Ok(()),
            },
            _ = hosts.next() => {}
            _ = no_hosts.next() => {}
            changed = sign.changed() => {
                let latest = sign.borrow_and_update().clone();
                let (Ok(()), Some(latest)) = (changed, latest) else {
                    return Ok(());
                };
                say(bus, latest).await?;
            }
        }
    }
}

/// Makes the sign known; a watcher that refuses it, or is gone meanwhile, does not have it.
async fn register(bus: &Connection, watcher: &WatcherProxy<'_>) -> bool {
    let name = bus.unique_name().map(|name| name.as_str());
    let told = watcher
        .register_status_notifier_item(name.unwrap_or_default())
        .await;
    if let Err(fault) = &told {
        debug!(%fault, "the tray does not take the sign");
    }
    told.is_ok()
}

/// Changes what stands on the bus, and tells those who draw it.
async fn say(bus: &Connection, sign: Sign) -> zbus::Result<()> {
    let served = bus.object_server();
    let item = served.interface::<_, Item>(ITEM).await?;
    item.get_mut().await.sign = sign.clone();
    Item::new_icon(item.signal_emitter()).await?;
    Item::new_tool_tip(item.signal_emitter()).await?;
    let menu = served.interface::<_, Menu>(MENU).await?;
    let revision = menu.get_mut().await.say(sign);
    Menu::layout_updated(menu.signal_emitter(), revision, menu::ROOT).await
}

/// A picture as hosts want it: width, height, and four bytes a pixel, opaqueness first.
type Pixels = (i32, i32, Vec<u8>);

/// The item itself.
struct Item {
    sign: Sign,
    heeds: Heeds,
}

#[interface(name = "org.kde.StatusNotifierItem")]
impl Item {
    #[zbus(property(emits_changed_signal = "const"))]
    fn category(&self) -> &str {
        "ApplicationStatus"
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> &str {
        "towline"
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn title(&self) -> &str {
        &self.sign.title
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn status(&self) -> &str {
        "Active"
    }

    /// None: which one is nobody's concern.
    #[zbus(property(emits_changed_signal = "const"))]
    fn window_id(&self) -> i32 {
        0
    }

    /// None by name: it is in no theme.
    #[zbus(property(emits_changed_signal = "const"))]
    fn icon_name(&self) -> &str {
        ""
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn icon_pixmap(&self) -> Vec<Pixels> {
        pictures(self.sign.standing).iter().map(pixels).collect()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn tool_tip(&self) -> (&str, Vec<Pixels>, &str, &str) {
        ("", Vec::new(), &self.sign.title, &self.sign.state)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn item_is_menu(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn menu(&self) -> ObjectPath<'_> {
        ObjectPath::from_static_str_unchecked(MENU)
    }

    fn activate(&self, _x: i32, _y: i32) {
        (self.heeds)(Wish::Open);
    }

    fn secondary_activate(&self, _x: i32, _y: i32) {
        (self.heeds)(Wish::Open);
    }

    #[zbus(signal)]
    async fn new_icon(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn new_tool_tip(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

fn pixels(picture: &tauri::image::Image<'_>) -> Pixels {
    let side = |length| i32::try_from(length).unwrap_or_default();
    let mut bytes = picture.rgba().to_vec();
    for pixel in bytes.chunks_exact_mut(4) {
        pixel.rotate_right(1);
    }
    (side(picture.width()), side(picture.height()), bytes)
}

#[cfg(test)]
mod tests;
