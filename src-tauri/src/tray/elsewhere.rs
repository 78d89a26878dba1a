//! The tray of macOS and Windows, which always is there, through Tauri.

use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Wry};
use tracing::warn;

use super::{Line, Sign, Standing, Tray, Wish, pictures};

/// All wishes, by the name that their line has in the menu.
const WISHES: [(&str, Wish); 4] = [
    ("open", Wish::Open),
    ("pause", Wish::Pause),
    ("resume", Wish::Resume),
    ("quit", Wish::Quit),
];

/// Keeps the sign in the tray.
pub(super) async fn live(tray: &Tray, app: &AppHandle, heed: fn(&AppHandle, Wish)) {
    let mut sign = tray.sign.subscribe();
    let mut icon: Option<TrayIcon> = None;
    // The sender lives as long as the tray.
    while sign.changed().await.is_ok() {
        let Some(latest) = sign.borrow_and_update().clone() else {
            continue;
        };
        match shown(app, icon.as_ref(), &latest, heed) {
            Ok(made) => {
                icon = made.or(icon);
                tray.set_shown(true);
            }
            Err(error) => warn!(%error, "the tray does not take the sign"),
        }
    }
}

/// Changes the sign that is there, or makes it.
fn shown(
    app: &AppHandle,
    icon: Option<&TrayIcon>,
    sign: &Sign,
    heed: fn(&AppHandle, Wish),
) -> tauri::Result<Option<TrayIcon>> {
    let picture = picture(sign.standing);
    if let Some(icon) = icon {
        icon.set_icon_with_as_template(Some(picture), IS_TEMPLATE)?;
        icon.set_tooltip(Some(&sign.state))?;
        icon.set_menu(Some(menu(app, sign)?))?;
        return Ok(None);
    }
    let built = TrayIconBuilder::new()
        .icon(picture)
        .icon_as_template(IS_TEMPLATE)
        .tooltip(&sign.state)
        .menu(&menu(app, sign)?)
        // A press opens the menu on macOS and the window on Windows, as people know it there.
        .show_menu_on_left_click(IS_TEMPLATE)
        .on_menu_event(move |app, event| {
            let chosen = WISHES.iter().find(|(name, _)| event.id() == *name);
            if let Some((_, wish)) = chosen {
                heed(app, *wish);
            }
        })
        .on_tray_icon_event(move |icon, event| {
            let is_press = matches!(
                event,
                TrayIconEvent::Click {
                    button: MouseButton::Left,
                    button_state: MouseButtonState::Up,
                    ..
                }
            );
            if is_press && !IS_TEMPLATE {
                heed(icon.app_handle(), Wish::Open);
            }
        })
        .build(app)?;
    Ok(Some(built))
}

fn menu(app: &AppHandle, sign: &Sign) -> tauri::Result<Menu<Wry>> {
    let menu = Menu::new(app)?;
    for line in Line::of(sign) {
        let text = line.text(sign).unwrap_or_default();
        let item: Box<dyn IsMenuItem<Wry>> = match line {
            Line::State => Box::new(MenuItem::new(app, text, false, None::<&str>)?),
            Line::BelowState | Line::AboveQuit => Box::new(PredefinedMenuItem::separator(app)?),
            Line::Choice(wish) => {
                let name = WISHES.iter().find(|(_, each)| *each == wish);
                let name = name.map_or("", |(name, _)| name);
                Box::new(MenuItem::with_id(app, name, text, true, None::<&str>)?)
            }
        };
        menu.append(item.as_ref())?;
    }
    Ok(menu)
}

/// Whether the system colours the sign itself, by what of it is opaque.
const IS_TEMPLATE: bool = cfg!(target_os = "macos");

/// The largest picture, which systems make smaller; as a template it has what is light and no rim.
fn picture(standing: Standing) -> Image<'static> {
    let [_, _, largest] = pictures(standing);
    if !IS_TEMPLATE {
        return largest;
    }
    let mut pixels = largest.rgba().to_vec();
    for pixel in pixels.chunks_exact_mut(4) {
        if let [light, green, blue, opaque] = pixel {
            let seen = u16::from(*light) * u16::from(*opaque) / u16::from(u8::MAX);
            (*light, *green, *blue) = (0, 0, 0);
            *opaque = u8::try_from(seen).unwrap_or(u8::MAX);
        }
    }
    Image::new_owned(pixels, largest.width(), largest.height())
}
