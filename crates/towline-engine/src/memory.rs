//! When memory goes back to the system: little while a device works, most of it when the device comes to rest.
//!
//! An allocator keeps what was freed for the next one who asks, in a heap of its own for each thread. glibc
//! gives back what lies free at a heap's end from some hundred KiB on, and a stream with 16 MiB in flight fetches
//! it again at once: a tenth to a fifth of its processor time. So the bounds are wider. What is kept then is given
//! back at rest: after 100,000 small files it was 65 MB for 29 MB in use (glibc 2.36). Where an allocator does well
//! by itself there is nothing to do here.

use std::time::Duration;

use tokio::time::Instant;

/// How long nothing must have been asked of the store until memory is given back: 20 s. A pause within
/// a transfer is shorter, and what is given back there is fetched again at once.
const REST: Duration = Duration::from_secs(20);

/// Memory that was freed and may be given back.
#[derive(Debug, Default)]
pub(crate) struct Slack {
    due: Option<Instant>,
}

impl Slack {
    /// Something was asked of the store.
    pub(crate) fn stirred(&mut self) {
        self.due = Some(Instant::now() + REST);
    }

    /// When memory is to be given back; `None` when all was.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Gives memory back if it is time. Takes some milliseconds.
    pub(crate) fn give_back_if_due(&mut self) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            trim();
        }
    }
}

/// Lets the heaps of this process breathe. For a program's first line: heaps that are there already stay as they
/// are. Without it everything works, more slowly.
pub fn let_heaps_breathe() {
    widen();
}

/// Keeps up to 16 MiB free at a heap's end, lets a heap grow by 1 MiB at a time, and takes blocks of up to
/// 4 MiB from heaps, like those that files are read into. Measured in `docs/BENCHMARKS.md`: with 8 MiB most of
/// the gain is gone, 64 MiB give no more; blocks from 1 MiB on as mappings of their own cost a sender a third.
/// What is free at the end of a heap stays there also at rest, so there are four, whatever the number of cores.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn widen() {
    const MIB: libc::c_int = 1024 * 1024;
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 4),
        (libc::M_TRIM_THRESHOLD, 16 * MIB),
        (libc::M_TOP_PAD, MIB),
        (libc::M_MMAP_THRESHOLD, 4 * MIB),
    ] {
        // SAFETY: `mallopt` takes two numbers and the allocator's lock. It is for a program with one thread
        // (mallopt(3): `const:mallopt`), as there is in a program's first line. Were there others, they would read
        // what it sets without the lock: one aligned word each, old or new, and either is one to work with.
        #[expect(unsafe_code, reason = "there is no safe way to tell glibc")]
        let _kept_the_default_otherwise = unsafe { libc::mallopt(parameter, value) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn widen() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: `malloc_trim` may be called at any time from any thread (malloc_trim(3): MT-Safe); it takes the
    // allocator's own locks and touches nothing that is in use.
    #[expect(unsafe_code, reason = "there is no safe way to ask glibc for it")]
    let _something_was_given_back = unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn trim() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn memory_is_given_back_once_after_a_while_of_rest() {
        let mut slack = Slack::default();
        assert_eq!(slack.due(), None);
        slack.stirred();
        tokio::time::advance(REST / 2).await;
        slack.stirred();
        tokio::time::advance(REST / 2).await;
        slack.give_back_if_due();
        assert!(
            slack.due().is_some(),
            "the second stir begins the rest anew"
        );
        tokio::time::advance(REST / 2).await;
        slack.give_back_if_due();
        assert_eq!(slack.due(), None);
    }
}
