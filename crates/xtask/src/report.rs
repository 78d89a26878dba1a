//! What a chore tells the person who started it.
//!
//! The only place that prints. Lines go to standard output; a spinner for long silent work is drawn
//! only on a terminal, elsewhere one line says what has begun.
#![expect(
    clippy::print_stdout,
    reason = "chores talk to a person at a terminal, and this is where they do"
)]

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use indicatif::ProgressBar;

/// Prints one line.
pub(crate) fn say(line: impl AsRef<str>) {
    println!("{}", line.as_ref());
}

/// A sign of life during long work that prints nothing itself; gone when dropped.
pub(crate) struct Spinner {
    what: String,
    /// Drawn on terminals only.
    bar: Option<ProgressBar>,
}

impl Spinner {
    /// Begins, with a sentence that says what takes so long.
    pub(crate) fn start(what: &str) -> Self {
        if !stdout().is_terminal() {
            say(format!("   {what} ..."));
            return Self {
                what: what.to_owned(),
                bar: None,
            };
        }
        let bar = ProgressBar::new_spinner().with_message(what.to_owned());
        bar.enable_steady_tick(SPINNER_TICK);
        Self {
            what: what.to_owned(),
            bar: Some(bar),
        }
    }

    /// Shows the latest detail beside the sentence.
    pub(crate) fn detail(&self, detail: &str) {
        if let Some(bar) = &self.bar {
            let short: String = detail.chars().take(DETAIL_CHARS_MAX).collect();
            bar.set_message(format!("{}: {short}", self.what));
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A duration as people read it: `7 ms`, `0.4 s`, `83 s`, `12 min 5 s`.
pub(crate) fn readable(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration < Duration::from_millis(100) {
        format!("{} ms", duration.as_millis())
    } else if seconds >= 120 {
        format!("{} min {} s", seconds / 60, seconds % 60)
    } else if seconds >= 10 {
        format!("{seconds} s")
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// Ten frames a second look alive and cost nothing.
const SPINNER_TICK: Duration = Duration::from_millis(100);

/// Sentence and detail stay on one line of a narrow terminal: 40 characters for the detail.
const DETAIL_CHARS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well_at_every_size() {
        assert_eq!(readable(Duration::from_millis(7)), "7 ms");
        assert_eq!(readable(Duration::from_millis(420)), "0.4 s");
        assert_eq!(readable(Duration::from_secs(83)), "83 s");
        assert_eq!(readable(Duration::from_secs(725)), "12 min 5 s");
    }
}
