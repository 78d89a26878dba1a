//! The pictures of the app, drawn from the SVGs in `icons/`.
//!
//! Two drawings stand for the app: `icon.svg`, and `small.svg` with fewer and thicker strokes, which is taken up to
//! [`SMALL_MAX`] pixels. Of them come the PNGs that Linux' desktops look for, Windows' `icon.ico` and macOS'
//! `icon.icns`. What lies in `icons/tray` becomes PNGs of three sizes, for the tray.
//!
//! The same drawing gives the same bytes on processors of one kind; on others a few pixels are rounded differently,
//! so only [`is_comparable`] ones are held against the files.

use std::fs;

use anyhow::{Context, Result};
use icns::{IconFamily, IconType, PixelFormat};
use ico::{IconDir, IconDirEntry, IconImage, ResourceType};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::Files;
use crate::repo::Repo;

/// Draws all of them; by path below `icons/`.
pub(super) fn draw(repo: &Repo) -> Result<Files> {
    let mark = Mark {
        large: read(repo, "icon.svg")?,
        small: read(repo, "small.svg")?,
    };
    let mut files = Files::new();
    for size in LINUX {
        files.insert(format!("{size}x{size}.png"), png(&mark.draw(*size)?)?);
    }
    files.insert("icon.ico".to_owned(), of_windows(&mark)?);
    files.insert("icon.icns".to_owned(), of_macos(&mark)?);
    for name in of_tray(repo)? {
        let tree = read(repo, &format!("{TRAY}/{name}.svg"))?;
        for size in TRAY_SIZES {
            let drawn = png(&draw_at(&tree, *size)?)?;
            files.insert(format!("{TRAY}/{name}-{size}.png"), drawn);
        }
    }
    Ok(files)
}

/// Whether this processor rounds as the one does by which the files were drawn.
pub(super) const fn is_comparable() -> bool {
    cfg!(target_arch = "x86_64")
}

/// Whether a file is drawn, and not a drawing.
pub(super) fn is_product(path: &str) -> bool {
    [".png", ".ico", ".icns"]
        .iter()
        .any(|end| path.ends_with(end))
}

/// The sign of the app.
struct Mark {
    large: Tree,
    small: Tree,
}

impl Mark {
    fn draw(&self, size: u32) -> Result<Pixmap> {
        let tree = if size <= SMALL_MAX {
            &self.small
        } else {
            &self.large
        };
        draw_at(tree, size)
    }
}

fn of_windows(mark: &Mark) -> Result<Vec<u8>> {
    let mut icons = IconDir::new(ResourceType::Icon);
    for size in WINDOWS {
        let pixels = mark.draw(*size)?.take_demultiplied();
        let image = IconImage::from_rgba_data(*size, *size, pixels);
        // Windows itself reads compressed pictures at 256 pixels only, where all programs do.
        let entry = if *size < COMPRESSED_FROM {
            IconDirEntry::encode_as_bmp(&image)
        } else {
            IconDirEntry::encode_as_png(&image)
        };
        icons.add_entry(entry.context("encoding for Windows")?);
    }
    let mut bytes = Vec::new();
    icons.write(&mut bytes).context("writing icon.ico")?;
    Ok(bytes)
}

fn of_macos(mark: &Mark) -> Result<Vec<u8>> {
    let mut icons = IconFamily::new();
    for kind in MACOS {
        let size = kind.pixel_width();
        let pixels = mark.draw(size)?.take_demultiplied();
        let image = icns::Image::from_data(PixelFormat::RGBA, size, size, pixels)
            .context("a picture for macOS")?;
        icons
            .add_icon_with_type(&image, *kind)
            .context("encoding for macOS")?;
    }
    let mut bytes = Vec::new();
    icons.write(&mut bytes).context("writing icon.icns")?;
    Ok(bytes)
}

/// The names of the drawings for the tray.
fn of_tray(repo: &Repo) -> Result<Vec<String>> {
    let directory = repo.path(DIRECTORY).join(TRAY);
    let mut names = Vec::new();
    if !directory.exists() {
        return Ok(names);
    }
    for entry in fs::read_dir(&directory).context("listing the drawings for the tray")? {
        let name = entry?.file_name();
        names.extend(
            name.to_string_lossy()
                .strip_suffix(".svg")
                .map(str::to_owned),
        );
    }
    Ok(names)
}

fn read(repo: &Repo, name: &str) -> Result<Tree> {
    let path = repo.path(DIRECTORY).join(name);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Tree::from_str(&text, &Options::default())
        .with_context(|| format!("understanding {}", path.display()))
}

/// A square picture; drawings are square.
fn draw_at(tree: &Tree, size: u32) -> Result<Pixmap> {
    let mut picture = Pixmap::new(size, size).context("a picture without pixels")?;
    let scale = size as f32 / tree.size().width();
    let transform = Transform::from_scale(scale, scale);
    resvg::render(tree, transform, &mut picture.as_mut());
    Ok(picture)
}

fn png(picture: &Pixmap) -> Result<Vec<u8>> {
    picture.encode_png().context("encoding a picture")
}

/// Where drawings and pictures lie.
pub(super) const DIRECTORY: &str = "icons";

/// Drawings for the tray, below it.
const TRAY: &str = "tray";

/// Sizes that desktops on Linux look for in their themes, in pixels.
const LINUX: &[u32] = &[16, 24, 32, 48, 64, 128, 256, 512];

/// Sizes of Windows: 16 to 48 pixels at 100, 125, 150 and 200 %, and the large ones of its file manager.
const WINDOWS: &[u32] = &[16, 20, 24, 32, 40, 48, 64, 256];

/// Sizes of macOS, each also for screens with twice as many pixels.
const MACOS: &[IconType] = &[
    IconType::RGB24_16x16,
    IconType::RGBA32_16x16_2x,
    IconType::RGB24_32x32,
    IconType::RGBA32_32x32_2x,
    IconType::RGBA32_128x128,
    IconType::RGBA32_128x128_2x,
    IconType::RGBA32_256x256,
    IconType::RGBA32_256x256_2x,
    IconType::RGBA32_512x512,
    IconType::RGBA32_512x512_2x,
];

/// Up to 40 pixels the strokes of the large drawing are a pixel wide and less, and its margin is wasted.
const SMALL_MAX: u32 = 40;

/// From 256 pixels on pictures for Windows are compressed; uncompressed the largest would be 270 kB.
const COMPRESSED_FROM: u32 = 256;

/// What trays ask for: 22 pixels on most panels, 32 on large ones, and 64, from which the rest is scaled down.
const TRAY_SIZES: &[u32] = &[22, 32, 64];

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn drawn() -> Files {
        draw(&Repo::find().unwrap()).unwrap()
    }

    #[test]
    fn the_same_drawings_give_the_same_bytes() {
        assert_eq!(drawn(), drawn());
    }

    #[test]
    fn each_system_finds_its_sizes() {
        let files = drawn();
        for size in LINUX {
            let png = &files[&format!("{size}x{size}.png")];
            let picture = Pixmap::decode_png(png).unwrap();
            assert_eq!((picture.width(), picture.height()), (*size, *size));
        }
        let ico = IconDir::read(Cursor::new(&files["icon.ico"])).unwrap();
        let widths: Vec<_> = ico.entries().iter().map(IconDirEntry::width).collect();
        assert_eq!(widths, WINDOWS);
        let icns = IconFamily::read(files["icon.icns"].as_slice()).unwrap();
        for kind in MACOS {
            let image = icns.get_icon_with_type(*kind).unwrap();
            assert_eq!(image.width(), kind.pixel_width(), "{kind:?}");
        }
    }

    #[test]
    fn pictures_are_clear_at_their_corners_and_full_in_the_middle() {
        let files = drawn();
        for size in LINUX {
            let picture = Pixmap::decode_png(&files[&format!("{size}x{size}.png")]).unwrap();
            let alpha = |x, y| picture.pixel(x, y).unwrap().alpha();
            assert!(alpha(0, 0) < 128, "{size}");
            assert_eq!(alpha(size / 2, size / 2), 255, "{size}");
        }
    }
}
