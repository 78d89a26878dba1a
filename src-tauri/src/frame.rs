//! Where the window was, for the next time.
//!
//! Measured when the window goes out of sight and kept in the device's home, because each home has a window of its
//! own. It comes back as it was, as far as the screens of now show it: one that would lie outside or
//! be larger than its screen is moved and made smaller. What cannot be read or kept is no reason to
//! show no window. All in pixels; where a system does not tell places (Wayland), only the size holds.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tauri::{PhysicalPosition, PhysicalSize, WebviewWindow};
use tracing::{debug, warn};

/// The file in the home.
const FILE: &str = "window.json";

/// A part of the desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Area {
    x: i32,
    y: i32,
    width: u32,
    height: u32,
}

/// Where a window is: its outer corner, the size inside, and whether it fills the screen instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Frame {
    #[serde(flatten)]
    area: Area,
    maximized: bool,
}

/// Shows a window that was out of sight where it was the last time.
pub(crate) fn show(window: &WebviewWindow, home: &Path) -> tauri::Result<()> {
    place(window, home)?;
    window.show()
}

/// Shows such a window small, among the others of the desktop; opened there it is where it was.
pub(crate) fn show_minimized(window: &WebviewWindow, home: &Path) -> tauri::Result<()> {
    place(window, home)?;
    window.minimize()?;
    window.show()
}

fn place(window: &WebviewWindow, home: &Path) -> tauri::Result<()> {
    if let Some(frame) = kept(home) {
        let area = fitting(frame.area, &screens(window)?);
        window.set_size(PhysicalSize::new(area.width, area.height))?;
        window.set_position(PhysicalPosition::new(area.x, area.y))?;
        if frame.maximized {
            window.maximize()?;
        }
    }
    Ok(())
}

/// Keeps where the window is.
pub(crate) fn keep(window: &WebviewWindow, home: &Path) {
    let written = measured(window, home)
        .map_err(std::io::Error::other)
        .and_then(|frame| fs::write(path(home), serde_json::to_vec(&frame)?));
    if let Err(error) = written {
        warn!(%error, "the window will not come back where it was");
    }
}

fn kept(home: &Path) -> Option<Frame> {
    let json = fs::read(path(home)).ok()?;
    let frame = serde_json::from_slice(&json);
    frame
        .inspect_err(|error| debug!(%error, "nobody knows where the window was"))
        .ok()
}

fn path(home: &Path) -> PathBuf {
    home.join(FILE)
}

fn measured(window: &WebviewWindow, home: &Path) -> tauri::Result<Frame> {
    let (place, size) = (window.outer_position()?, window.inner_size()?);
    let now = Area {
        x: place.x,
        y: place.y,
        width: size.width,
        height: size.height,
    };
    let maximized = window.is_maximized()?;
    // A window that fills the screen does not tell where it goes when it no longer does.
    let before = kept(home).filter(|_| maximized);
    Ok(Frame {
        area: before.map_or(now, |frame| frame.area),
        maximized,
    })
}

/// What the screens have left for windows.
fn screens(window: &WebviewWindow) -> tauri::Result<Vec<Area>> {
    let monitors = window.available_monitors()?;
    let areas = monitors.iter().map(|monitor| {
        let area = monitor.work_area();
        Area {
            x: area.position.x,
            y: area.position.y,
            width: area.size.width,
            height: area.size.height,
        }
    });
    Ok(areas.collect())
}

/// The area on the screen that shows most of it, else on the first one: as it is where it fits,
/// else moved, else made smaller. Without screens nobody knows better.
fn fitting(area: Area, screens: &[Area]) -> Area {
    let shown = |screen: &&Area| overlap(area, **screen);
    // Of equals the last is taken, so the first screen comes last.
    let Some(screen) = screens.iter().rev().max_by_key(shown) else {
        return area;
    };
    let width = area.width.min(screen.width);
    let height = area.height.min(screen.height);
    Area {
        x: within(area.x, width, screen.x, screen.width),
        y: within(area.y, height, screen.y, screen.height),
        width,
        height,
    }
}

/// The beginning nearest to `begin` from which `length` lies on a side of a screen that holds it.
fn within(begin: i32, length: u32, side: i32, side_length: u32) -> i32 {
    let room = i32::try_from(side_length.saturating_sub(length)).unwrap_or(i32::MAX);
    begin.clamp(side, side.saturating_add(room))
}

fn overlap(one: Area, other: Area) -> u64 {
    let shared = |begins: (i32, i32), lengths: (u32, u32)| {
        let ends = (
            i64::from(begins.0) + i64::from(lengths.0),
            i64::from(begins.1) + i64::from(lengths.1),
        );
        let length = ends.0.min(ends.1) - i64::from(begins.0.max(begins.1));
        u64::try_from(length).unwrap_or(0)
    };
    shared((one.x, other.x), (one.width, other.width))
        .saturating_mul(shared((one.y, other.y), (one.height, other.height)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAPTOP: Area = area(0, 0, 1600, 1000);
    const BESIDE: Area = area(1600, -80, 2560, 1440);

    const fn area(x: i32, y: i32, width: u32, height: u32) -> Area {
        Area {
            x,
            y,
            width,
            height,
        }
    }

    #[test]
    fn a_window_that_a_screen_shows_stays_where_it_was() {
        let screens = [LAPTOP, BESIDE];
        for shown in [area(20, 30, 960, 640), area(1700, -80, 1080, 720), BESIDE] {
            assert_eq!(fitting(shown, &screens), shown);
        }
    }

    #[test]
    fn a_window_of_a_screen_that_is_gone_comes_to_the_one_that_is_there() {
        let gone = area(2600, 300, 960, 640);
        assert_eq!(fitting(gone, &[LAPTOP]), area(640, 300, 960, 640));
        let far = area(-30_000, i32::MIN, 960, 640);
        assert_eq!(fitting(far, &[LAPTOP, BESIDE]), area(0, 0, 960, 640));
    }

    #[test]
    fn a_window_is_no_larger_than_its_screen() {
        let large = area(1700, 100, 2400, 1300);
        assert_eq!(fitting(large, &[LAPTOP]), LAPTOP);
        let endless = area(i32::MAX, i32::MAX, u32::MAX, u32::MAX);
        assert_eq!(fitting(endless, &[LAPTOP]), LAPTOP);
    }

    #[test]
    fn a_window_on_two_screens_goes_to_the_one_that_shows_more_of_it() {
        let across = area(1500, 100, 960, 640);
        assert_eq!(
            fitting(across, &[LAPTOP, BESIDE]),
            area(1600, 100, 960, 640)
        );
    }

    #[test]
    fn without_screens_a_window_is_left_alone() {
        let anywhere = area(9000, 9000, 10, 10);
        assert_eq!(fitting(anywhere, &[]), anywhere);
    }

    #[test]
    fn a_torn_file_says_nothing() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(kept(home.path()), None);
        fs::write(path(home.path()), r#"{"x":1,"y":2,"#).unwrap();
        assert_eq!(kept(home.path()), None);
    }

    #[test]
    fn the_file_says_where_the_window_was() {
        let home = tempfile::tempdir().unwrap();
        let json = r#"{"x":1,"y":-2,"width":960,"height":640,"maximized":false}"#;
        fs::write(path(home.path()), json).unwrap();
        let frame = kept(home.path()).unwrap();
        assert_eq!(frame.area, area(1, -2, 960, 640));
        assert_eq!(serde_json::to_string(&frame).unwrap(), json);
    }
}
