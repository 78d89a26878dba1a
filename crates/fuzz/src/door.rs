//! What a door is: a decoder that meets bytes from outside. Shared by the crates that have some.

/// A way by which bytes from outside come in.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// What it is called, also as a fuzz target.
    pub name: &'static str,
    /// Valid inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Takes any bytes.
    pub enter: fn(&[u8]),
}

/// Throws the seeds of each door at it, and changes of them that need no luck: cut short, one bit or
/// byte other, longer, and seeds of which one goes on as the other.
#[cfg(test)]
pub(super) fn knock(doors: &[Door]) {
    for door in doors {
        let seeds = (door.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", door.name);
        for seed in &seeds {
            (door.enter)(seed);
            let step = (seed.len() / 200).max(1);
            for at in (0..=seed.len()).step_by(step) {
                let (begin, end) = seed.split_at(at);
                (door.enter)(begin);
                for other in &seeds {
                    let rest = other.get(at.min(other.len())..).unwrap_or_default();
                    (door.enter)(&[begin, rest].concat());
                }
                let Some((byte, end)) = end.split_first() else {
                    continue;
                };
                for new in [byte ^ 1, byte ^ 0x80, 0, 0x7f, 0xff] {
                    (door.enter)(&[begin, &[new], end].concat());
                }
                // A length of ten bytes, as large as a varint can be.
                (door.enter)(&[begin, &[0xff; 9], &[1], end].concat());
            }
        }
    }
}
