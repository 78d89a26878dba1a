//! What the command line says: words for a person, or one JSON document per line. Nothing that is
//! said here acts on a terminal, whoever chose it.

#![expect(
    clippy::print_stdout,
    reason = "standard output is this program's purpose"
)]

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
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints one answer: `words` to a person, `document` to a script.
    pub(crate) fn say<T: Serialize>(&self, document: &T, words: impl FnOnce() -> String) {
        if !self.json {
            println!("{}", plain::lines(&words()));
        } else if let Ok(line) = serde_json::to_string(document) {
            // Our own types always become JSON.
            println!("{}", plain::json(&line));
        }
    }

    /// Says how far something is: to a person on standard error, to a script as one more document.
    pub(crate) fn progress<T: Serialize>(&self, document: &T, words: impl FnOnce() -> String) {
        if self.json {
            self.say(document, String::new);
        } else {
            eprintln!("{}", plain::lines(&words()));
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
            eprintln!("{}", plain::json(&line.unwrap_or_default()));
        } else {
            eprintln!("towline: {}", plain::lines(&failure.message));
        }
    }
}
