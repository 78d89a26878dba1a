//! What the command line says: words for a person, or one JSON document per line. Nothing that is
//! said here acts on a terminal, whoever chose it.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use towline_engine::{LocalError, ViewError};

use crate::{plain, words};

/// Why a command failed: a stable code for scripts, a sentence for people.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    code: String,
    message: String,
}

impl Failure {
    pub(crate) fn new(code: &str, message: String) -> Self {
        Self {
            code: code.to_owned(),
            message,
        }
    }

    /// The sentence for people.
    #[cfg(any(target_os = "linux", windows))]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The engine has answered something that was not asked.
    pub(crate) fn unexpected() -> Self {
        Self::new("connection", LocalError::Protocol.to_string())
    }
}

impl From<ViewError> for Failure {
    fn from(error: ViewError) -> Self {
        let message = words::refusal(&error.code, error.detail.as_deref());
        Self {
            code: error.code,
            message,
        }
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        match error {
            LocalError::Refused(refused) => refused.into(),
            LocalError::NotRunning(_) => Self::new("not_running", error.to_string()),
            LocalError::Io(_) | LocalError::Protocol => Self::new("connection", error.to_string()),
        }
    }
}

/// Where answers go.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    /// Whether the reader of standard output has gone.
    is_unread: AtomicBool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            is_unread: AtomicBool::new(false),
        }
    }

    /// Prints one answer: `words` to a person, `document` to a script.
    pub(crate) fn say<T: Serialize>(&self, document: &T, words: impl FnOnce() -> String) {
        if !self.json {
            self.print(&plain::lines(&words()));
        } else if let Ok(line) = serde_json::to_string(document) {
            // Our own types always become JSON.
            self.print(&plain::json(&line));
        }
    }

    /// Whether nobody reads what is said any more: who only speaks has nothing left to do.
    pub(crate) fn is_unread(&self) -> bool {
        self.is_unread.load(Ordering::Relaxed)
    }

    /// Standard output may be closed at any time, as by `head`; an engine goes on without it.
    fn print(&self, text: &str) {
        if writeln!(io::stdout(), "{text}").is_err() {
            self.is_unread.store(true, Ordering::Relaxed);
        }
    }

    /// Says how far something is: to a person on standard error, to a script as one more document.
    pub(crate) fn progress<T: Serialize>(&self, document: &T, words: impl FnOnce() -> String) {
        if self.json {
            self.say(document, String::new);
        } else {
            complain(&plain::lines(&words()));
        }
    }

    /// Prints a failure to standard error.
    pub(crate) fn failure(&self, failure: &Failure) {
        #[derive(Serialize)]
        struct Document<'a> {
            error: &'a Failure,
        }
        if self.json {
            let line = serde_json::to_string(&Document { error: failure });
            complain(&plain::json(&line.unwrap_or_default()));
        } else {
            complain(&format!("towline: {}", plain::lines(&failure.message)));
        }
    }
}

/// Says something on standard error, where nobody need listen.
fn complain(text: &str) {
    let _unheard = writeln!(io::stderr(), "{text}");
}
