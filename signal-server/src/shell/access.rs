//! The file that says who may use the server, and reading it again.
//!
//! A file of tokens has one hash a line, and what its administrator calls it; one of devices has their ids. It is
//! read again on SIGHUP, and within some seconds of its change. One that makes no sense leaves the list of before in
//! use, and is told; so does one without an entry, which is what a file is while an editor writes it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::ValueEnum;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use tokio_util::sync::CancellationToken;
use towline_wire::ids::DeviceId;
use towline_wire::signal::AccessToken;

use super::hub::Hub;
use super::reload::Watch;
use crate::rendezvous::{Access, Input, TokenHash};

/// Who may use the server, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccessKind {
    /// Everybody.
    Open,
    /// Who shows a token of the file.
    Tokens,
    /// Devices whose ids are in the file.
    Devices,
}

/// Where it is written who may use the server.
#[derive(Debug, Clone)]
pub struct AccessFile {
    /// What the lines are: tokens or devices.
    pub kind: AccessKind,
    /// Where it lies.
    pub path: PathBuf,
}

impl AccessFile {
    /// Reads it.
    ///
    /// # Errors
    /// In a sentence that names the file and the line, and repeats nothing of it.
    pub fn read(&self) -> Result<Access, String> {
        let shown = self.path.display();
        let mut text = String::new();
        let file = File::open(&self.path).map_err(|error| format!("{shown}: {error}"))?;
        let length = file
            .take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| format!("{shown}: {error}"))?;
        if length as u64 > FILE_BYTES_MAX {
            return Err(format!("{shown} has more than {FILE_BYTES_MAX} bytes"));
        }
        let access = parse(self.kind, &text)
            .map_err(|(line, why)| format!("line {line} of {shown}: {why}"))?;
        if access.admits_nobody() {
            return Err(format!(
                "{shown} has no entry: it would let nobody in; to shut everybody out, stop the server"
            ));
        }
        Ok(access)
    }

    /// Reads it; what it gives beside the list reads it again.
    pub(super) fn open(self) -> Result<(Access, Renewal), String> {
        // Begun before it is read: no change falls between.
        let watch = Watch::over(vec![self.path.clone()]);
        let access = self.read()?;
        Ok((access, Renewal { file: self, watch }))
    }
}

/// Reads the list again when it changes.
pub(super) struct Renewal {
    file: AccessFile,
    watch: Watch,
}

impl Renewal {
    /// Tells the hub of the list whenever it changes or the process is told to look, until `cancel`.
    pub(super) async fn until(mut self, hub: Hub, cancel: CancellationToken) {
        while self.watch.next(&cancel).await.is_some() {
            match self.file.read() {
                Ok(access) => {
                    tracing::info!(event = "access_renewed", "another list of access is in use");
                    if hub.happened(Input::Access(access)).is_err() {
                        return;
                    }
                }
                Err(why) => tracing::error!(
                    event = "access_refused",
                    why,
                    "the list of access of before stays in use"
                ),
            }
        }
    }
}

/// A new token, and its line for the file.
///
/// # Errors
/// When the system gives no entropy.
pub fn new_token(label: &str) -> io::Result<(String, String)> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let text = BASE64URL_NOPAD.encode(&bytes);
    let token = AccessToken::parse(&text).ok_or_else(|| io::Error::other("no token"))?;
    let hash = HEXLOWER.encode(TokenHash::of(&token).as_bytes());
    Ok((text, format!("{hash} {label}")))
}

fn parse(kind: AccessKind, text: &str) -> Result<Access, (usize, &'static str)> {
    let lines = text
        .lines()
        .zip(1..)
        .map(|(line, number)| (line.split('#').next().unwrap_or_default(), number))
        .filter_map(|(line, number)| Some((line.split_whitespace().next()?, number)));
    match kind {
        AccessKind::Open => Ok(Access::Open),
        AccessKind::Tokens => {
            let hash = |word: &str| {
                let bytes = HEXLOWER_PERMISSIVE.decode(word.as_bytes()).ok()?;
                bytes.try_into().ok().map(TokenHash::from_bytes)
            };
            let why =
                "begins with no hash of a token; `towline-signal new-token` prints such lines";
            let hashes = lines.map(|(word, number)| hash(word).ok_or((number, why)));
            hashes
                .collect::<Result<BTreeSet<_>, _>>()
                .map(Access::Tokens)
        }
        AccessKind::Devices => {
            let why = "begins with no device id; `towline status` prints a device's";
            let ids =
                lines.map(|(word, number)| word.parse::<DeviceId>().map_err(|_| (number, why)));
            ids.collect::<Result<BTreeSet<_>, _>>().map(Access::Devices)
        }
    }
}

/// Longest file in bytes: 16 MiB, two hundred thousand lines.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_admitted_by_its_line_and_the_line_does_not_hold_it() {
        let (token, line) = new_token("laptop of Anna").unwrap();
        assert!(!line.contains(&token));
        let parsed = AccessToken::parse(&token).unwrap();
        let text = format!("# people\n\n  {line} # since May\n");
        let Ok(Access::Tokens(hashes)) = parse(AccessKind::Tokens, &text) else {
            panic!("it is read")
        };
        assert_eq!(
            hashes.into_iter().collect::<Vec<_>>(),
            [TokenHash::of(&parsed)]
        );
        let (other, _) = new_token("x").unwrap();
        assert_ne!(token, other);
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named_by_its_number_only() {
        for kind in [AccessKind::Tokens, AccessKind::Devices] {
            let (line, why) = parse(kind, "# fine\ns3cret-token\n").unwrap_err();
            assert_eq!(line, 2);
            assert!(!why.contains("s3cret"));
        }
        let device = DeviceId::from_public_key([7; 32]);
        let text = format!("{device} Anna's laptop\n");
        assert_eq!(
            parse(AccessKind::Devices, &text),
            Ok(Access::Devices(BTreeSet::from([device])))
        );
    }
}
