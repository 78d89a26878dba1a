//! The beginning of a file, for a person to look at.
//!
//! Text that is UTF-8, or a small image of a kind that cannot carry a program (SVG can, and is shown as
//! text). Nothing is decoded here, and no link is followed: a link's own text is shown.

use std::io::{self, Read};

use towline_wire::rel_path::RelPath;

use super::handle::Kind;
use super::parents::{Missing, Parents};
use super::root::Root;

/// What can be shown of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Preview {
    /// Its beginning as text.
    Text {
        /// The text.
        text: String,
        /// Whether there is more.
        cut: bool,
    },
    /// All of it, an image.
    Image {
        /// Its media type.
        media_type: &'static str,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Nothing.
    Other,
}

impl Root {
    /// Reads what can be shown of a file or a link.
    pub(crate) fn preview(&self, path: &RelPath) -> io::Result<Preview> {
        let mut parents = Parents::new(self);
        let directory = parents.of(path, Missing::Refuse)?;
        let name = path.file_name();
        match directory.mark(name)?.kind {
            Kind::Symlink => Ok(match directory.read_link(name)?.into_string() {
                Ok(text) => Preview::Text { text, cut: false },
                Err(_) => Preview::Other,
            }),
            Kind::File => {
                let mut bytes = Vec::new();
                let file = directory.open_file(name)?;
                file.take(IMAGE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
                Ok(shown(bytes))
            }
            Kind::Directory | Kind::Other => Ok(Preview::Other),
        }
    }
}

fn shown(mut bytes: Vec<u8>) -> Preview {
    if let Some(media_type) = image(&bytes) {
        return if bytes.len() as u64 > IMAGE_BYTES_MAX {
            Preview::Other
        } else {
            Preview::Image { media_type, bytes }
        };
    }
    let cut = bytes.len() > TEXT_BYTES_MAX;
    bytes.truncate(TEXT_BYTES_MAX);
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        // The last character may be cut in two; anything else is no text.
        Err(fault) if cut && fault.error_len().is_none() => bytes
            .get(..fault.valid_up_to())
            .and_then(|whole| std::str::from_utf8(whole).ok())
            .unwrap_or_default(),
        Err(_) => return Preview::Other,
    };
    if text.contains('\0') {
        return Preview::Other;
    }
    Preview::Text {
        text: text.to_owned(),
        cut,
    }
}

/// The media type of an image that every browser shows and that holds no program.
fn image(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Some("image/gif")
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

/// Most bytes of text that are shown: 64 KiB, a thousand lines. Whoever wants more opens the file.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of an image that are shown: 768 KiB, 1 MiB once it is a `data:` URL; answers travel as one
/// line.
const IMAGE_BYTES_MAX: u64 = 768 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters_and_bytes_are_no_text() {
        let text = |text: &str, cut| Preview::Text {
            text: text.to_owned(),
            cut,
        };
        assert_eq!(shown(b"a\n".to_vec()), text("a\n", false));
        assert_eq!(shown(Vec::new()), text("", false));
        let long = format!("a{}", "ä".repeat(TEXT_BYTES_MAX / 2 + 9));
        let end = long.floor_char_boundary(TEXT_BYTES_MAX);
        assert_eq!(shown(long.clone().into_bytes()), text(&long[..end], true));
        assert_eq!(shown(b"a\xff".to_vec()), Preview::Other);
        assert_eq!(
            shown(b"ends in half a letter \xc3".to_vec()),
            Preview::Other
        );
        assert_eq!(shown(b"a\0b".to_vec()), Preview::Other);
        let svg = "<svg xmlns='http://www.w3.org/2000/svg'/>";
        assert_eq!(shown(svg.as_bytes().to_vec()), text(svg, false));
    }

    #[test]
    fn an_image_is_known_by_its_first_bytes_and_shown_whole_or_not_at_all() {
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        png.resize(1000, 0);
        assert_eq!(
            shown(png.clone()),
            Preview::Image {
                media_type: "image/png",
                bytes: png.clone()
            }
        );
        png.resize(usize::try_from(IMAGE_BYTES_MAX).unwrap() + 1, 0);
        assert_eq!(shown(png), Preview::Other);
        assert_eq!(image(b"RIFF0000WEBPVP8 "), Some("image/webp"));
        assert_eq!(image(b"RIFF0000WAVEfmt "), None);
    }
}
