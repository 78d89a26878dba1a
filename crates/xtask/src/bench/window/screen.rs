//! The memory of a virtual screen, as Xvfb lays it into a file (`-fbdir`, format of xwd(1) version 7).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// A screen of 32 bits a pixel that can be looked at.
#[derive(Debug)]
pub(super) struct Screen {
    memory: File,
    /// Where the first pixel lies.
    start: u64,
    bytes: usize,
}

impl Screen {
    /// Reads how the screen lies in its file.
    pub(super) fn open(file: &Path) -> Result<Self> {
        let memory = File::open(file).with_context(|| format!("opening {}", file.display()))?;
        let mut head = [0; 100];
        memory
            .read_exact_at(&mut head, 0)
            .context("reading the head of the screen")?;
        let field = |at: usize| -> Result<u32> {
            let bytes = head.get(at..at + 4).context("a field outside the head")?;
            Ok(u32::from_be_bytes(bytes.try_into()?))
        };
        let [size, version, height, bits, line, colours] = [
            field(0)?,
            field(4)?,
            field(20)?,
            field(44)?,
            field(48)?,
            field(76)?,
        ];
        ensure!(
            version == 7 && bits == 32,
            "a screen of version {version}, {bits} bits a pixel"
        );
        Ok(Self {
            memory,
            // A colour of the table has 12 bytes.
            start: u64::from(size) + 12 * u64::from(colours),
            bytes: usize::try_from(u64::from(line) * u64::from(height))?,
        })
    }

    /// How many pixels have the colour, given as red, green and blue.
    pub(super) fn count(&self, [red, green, blue]: [u8; 3]) -> Result<usize> {
        let mut pixels = vec![0; self.bytes];
        self.memory
            .read_exact_at(&mut pixels, self.start)
            .context("reading the screen")?;
        Ok(pixels
            .chunks_exact(4)
            .filter(|pixel| pixel.starts_with(&[blue, green, red]))
            .count())
    }
}
