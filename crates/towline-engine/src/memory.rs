//! Gives memory that is not needed any more back to the system when the device comes to rest.
//!
//! An allocator keeps what was freed for the next one who asks, in a heap of its own for each thread. After
//! 100,000 small files more than half of what the engine held was kept so: 65 MB for 29 MB in use (glibc 2.36).
//! Where an allocator gives back by itself there is nothing to do here.

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
