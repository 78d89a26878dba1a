//! How old a device's store is, as the root remembers it.
//!
//! `.towline/age-<device>` holds three lines: the format's version, the incarnation of the store and
//! the highest sequence of our rows that is durable there. A store that is put back from a copy is
//! behind this note, and so it is found out before anything is written under counters that others
//! know already. One note per device: a disk may be carried from one computer to another.
//!
//! The note is no promise, so it is not synced: one that is lost, torn or old only means that the
//! peers have to tell.

use std::io::{self, Read, Write};

use towline_core::io::Age;
use towline_wire::ids::{DeviceId, Incarnation, Sequence};

use super::handle::{Directory, new_file_mode};

/// First line of a note; another one is not ours to judge.
const FORMAT: &str = "towline age 1";

/// Most bytes that we read of a note: 256, four times its length.
const NOTE_BYTES_MAX: u64 = 256;

/// The note of `device` in the marker directory; `None` when there is none that we understand.
pub(super) fn read(towline: &Directory, device: DeviceId) -> Option<Age> {
    let file = towline.open_file(&name(device)).ok()?;
    let mut text = String::new();
    file.take(NOTE_BYTES_MAX).read_to_string(&mut text).ok()?;
    parse(&text)
}

/// Replaces the note of `device`, whole or not at all.
pub(super) fn write(towline: &Directory, device: DeviceId, age: Age) -> io::Result<()> {
    let new = format!("{}.new", name(device));
    match towline.remove_file(&new) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        Ok(()) | Err(_) => {}
    }
    let mut file = towline.create_file(&new, new_file_mode(false))?;
    file.write_all(text(age).as_bytes())?;
    towline.rename(&new, towline, &name(device))
}

fn name(device: DeviceId) -> String {
    format!("age-{device}")
}

fn text(age: Age) -> String {
    let (incarnation, sequence) = (age.incarnation.0, age.sequence.0);
    format!("{FORMAT}\n{incarnation:016x}\n{sequence}\n")
}

fn parse(text: &str) -> Option<Age> {
    let mut lines = text.lines();
    if lines.next()? != FORMAT {
        return None;
    }
    let incarnation = Incarnation(u64::from_str_radix(lines.next()?, 16).ok()?);
    let sequence = Sequence(lines.next()?.parse().ok()?);
    Some(Age {
        incarnation,
        sequence,
    })
}

/// Takes what a note may hold.
#[cfg(any(test, fuzzing))]
pub(super) fn enter(bytes: &[u8]) {
    if let Some(age) = std::str::from_utf8(bytes).ok().and_then(parse) {
        assert_eq!(parse(&text(age)), Some(age));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_note_says_nothing() {
        let age = Age {
            incarnation: Incarnation(0xabc),
            sequence: Sequence(17),
        };
        assert_eq!(parse("towline age 1\n0000000000000abc\n17\n"), Some(age));
        for text in [
            "",
            "towline age 1",
            "towline age 1\n0000000000000abc\n",
            "towline age 2\n0000000000000abc\n17\n",
            "towline age 1\nxyz\n17\n",
            "towline age 1\nabc\n-1\n",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
