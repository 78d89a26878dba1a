//! A file of numbered words: if one is lost, doubled or moved, it shows which.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Words of 8 bytes: the number of each times an odd constant, which no two numbers share and nothing compresses.
fn word(number: u64) -> [u8; 8] {
    number
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(29)
        .wrapping_mul(0xBF58_476D_1CE4_E5B9)
        .to_le_bytes()
}

/// Writes so many bytes of words, from `first` on.
pub(super) fn write(path: &Path, first: u64, bytes: u64) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for number in first..first + bytes / 8 {
        file.write_all(&word(number))?;
    }
    file.flush().context("writing words")
}

/// Reads them back; fails at the first word that is not the one that belongs there.
pub(super) fn verify(path: &Path, first: u64, bytes: u64) -> Result<()> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut found = [0; 8];
    for number in first..first + bytes / 8 {
        file.read_exact(&mut found)
            .with_context(|| format!("word {number} is lost"))?;
        if found != word(number) {
            bail!("word {number} is not where it belongs");
        }
    }
    if file.read(&mut found)? > 0 {
        bail!("there are more words than were sent");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_doubled_is_found() {
        let place = std::env::temp_dir().join(format!("towline-words-{}", std::process::id()));
        write(&place, 7, 800).unwrap();
        verify(&place, 7, 800).unwrap();
        let mut bytes = std::fs::read(&place).unwrap();
        bytes.copy_within(8..16, 16);
        std::fs::write(&place, &bytes).unwrap();
        assert!(
            verify(&place, 7, 800)
                .unwrap_err()
                .to_string()
                .contains("word 9")
        );
        std::fs::write(&place, &bytes[..16]).unwrap();
        assert!(
            verify(&place, 7, 800)
                .unwrap_err()
                .to_string()
                .contains("word 9")
        );
        std::fs::remove_file(&place).unwrap();
    }
}
