//! The local socket: how the command line and the window reach a running engine.
//!
//! One JSON document per line, on a Unix socket with mode 0600 in the device's home (on Windows: a
//! named pipe of this user). A client sends [`Request`]s and gets one [`Response`] for each, with the
//! request's `id`; after `watch` it also gets a `View` whenever it has changed, the latest only. Lines
//! are bounded; what is not a request gets an error and does not disturb anybody else.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use interprocess::local_socket::{ListenerOptions, Name};
use serde::{Deserialize, Serialize};
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf, split,
};
use tracing::debug;

use crate::engine::Handle;
use crate::tasks::Tasks;
use crate::view::{AnswerView, CommandView, View, ViewError};

/// Longest line either way: 8 MiB. A view of 1000 folders with 100 held-back entries each stays
/// below it; without a bound a local program could fill our memory.
const LINE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Pause after a client could not be let in: 100 ms.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Chosen by the client, comes back in the response.
    pub id: u64,
    /// What is asked.
    #[serde(flatten)]
    pub call: Call,
}

/// What can be asked on the local socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub(crate) enum Call {
    /// The view as it is now.
    View,
    /// The view now, and again after every change.
    Watch,
    /// A command.
    Command(CommandView),
    /// A link that opens the device in a browser, once.
    Link,
    /// Ends the engine in good order.
    Stop,
}

/// What a client gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Response {
    /// The request's.
    pub id: u64,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: ResponseOutcome,
}

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResponseOutcome {
    /// A view.
    View(Box<View>),
    /// A command was accepted.
    Answer(AnswerView),
    /// A link for a browser; whoever opens it first may do all that the socket allows.
    Link(String),
    /// The call was refused.
    Error(ViewError),
}

/// Why an engine cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Nothing listens there.
    #[error("no Towline engine is running on {0}; start one with `towline up`")]
    NotRunning(PathBuf),
    /// The socket broke.
    #[error("the connection with the engine broke")]
    Io(#[from] io::Error),
    /// The other end speaks something else.
    #[error("the engine answered with something else; is it of another version?")]
    Protocol,
    /// The engine refused.
    #[error(transparent)]
    Refused(#[from] ViewError),
}

/// Opens the socket of the device at `home`. The home's lock must be held already: what is left of
/// an earlier socket is removed.
pub(crate) fn listen(home: &Path) -> io::Result<Listener> {
    let options = ListenerOptions::new().name(name(home)?);
    #[cfg(unix)]
    let options = {
        use interprocess::os::unix::local_socket::ListenerOptionsExt;
        options.mode(0o600)
    };
    options.try_overwrite(true).create_tokio()
}

/// Serves clients until the tasks are cancelled.
pub(crate) async fn serve(listener: Listener, handle: Handle, tasks: Tasks) {
    loop {
        match listener.accept().await {
            Ok(stream) => {
                let handle = handle.clone();
                tasks.spawn("local client", async move {
                    if let Err(error) = converse(stream, handle).await {
                        debug!(%error, "local client gone");
                    }
                });
            }
            Err(error) => {
                debug!(%error, "local client could not connect");
                // Mostly too many open files; asking again at once would only spin.
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: Stream, handle: Handle) -> Result<(), LocalError> {
    let (receive, mut send) = split(stream);
    let mut lines = BufReader::new(receive);
    let mut views = handle.views();
    let mut watching: Option<u64> = None;
    let mut line = Vec::new();
    loop {
        tokio::select! {
            read = read_line(&mut lines, &mut line) => {
                if !read? {
                    return Ok(());
                }
                let request: Request = match serde_json::from_slice(&line) {
                    Ok(request) => request,
                    Err(_) => {
                        let error = ResponseOutcome::Error(ViewError::new("malformed"));
                        line.clear();
                        write_line(&mut send, &Response { id: 0, outcome: error }).await?;
                        continue;
                    }
                };
                line.clear();
                let id = request.id;
                let outcome = match request.call {
                    Call::View => current(&views),
                    Call::Watch => {
                        watching = Some(id);
                        views.mark_unchanged();
                        current(&views)
                    }
                    Call::Command(command) => match handle.command(command).await {
                        Ok(answer) => ResponseOutcome::Answer(answer),
                        Err(error) => ResponseOutcome::Error(error),
                    },
                    Call::Link => match handle.link() {
                        Ok(link) => ResponseOutcome::Link(link),
                        Err(error) => ResponseOutcome::Error(error),
                    },
                    Call::Stop => {
                        handle.stop();
                        ResponseOutcome::Answer(AnswerView::Accepted)
                    }
                };
                write_line(&mut send, &Response { id, outcome }).await?;
            }
            changed = views.changed(), if watching.is_some() => {
                if changed.is_err() {
                    return Ok(());
                }
                let outcome = ResponseOutcome::View(Box::new((**views.borrow_and_update()).clone()));
                write_line(&mut send, &Response { id: watching.unwrap_or_default(), outcome }).await?;
            }
        }
    }
}

fn current(views: &tokio::sync::watch::Receiver<std::sync::Arc<View>>) -> ResponseOutcome {
    ResponseOutcome::View(Box::new((**views.borrow()).clone()))
}

/// A client of a running engine.
#[derive(Debug)]
pub struct LocalClient {
    lines: BufReader<ReadHalf<Stream>>,
    send: WriteHalf<Stream>,
    last_id: u64,
    line: Vec<u8>,
}

impl LocalClient {
    /// Connects to the engine of the device at `home`.
    pub async fn connect(home: &Path) -> Result<Self, LocalError> {
        let stream = Stream::connect(name(home)?)
            .await
            .map_err(|_| LocalError::NotRunning(home.to_owned()))?;
        let (receive, send) = split(stream);
        Ok(Self {
            lines: BufReader::new(receive),
            send,
            last_id: 0,
            line: Vec::new(),
        })
    }

    /// The view as it is now.
    pub async fn view(&mut self) -> Result<View, LocalError> {
        match self.call(Call::View).await? {
            ResponseOutcome::View(view) => Ok(*view),
            ResponseOutcome::Error(error) => Err(error.into()),
            ResponseOutcome::Answer(_) | ResponseOutcome::Link(_) => Err(LocalError::Protocol),
        }
    }

    /// Begins to watch; the first view is the current one, [`LocalClient::next_view`] yields later ones.
    pub async fn watch(&mut self) -> Result<View, LocalError> {
        match self.call(Call::Watch).await? {
            ResponseOutcome::View(view) => Ok(*view),
            ResponseOutcome::Error(error) => Err(error.into()),
            ResponseOutcome::Answer(_) | ResponseOutcome::Link(_) => Err(LocalError::Protocol),
        }
    }

    /// The next view after a change; only after [`LocalClient::watch`]. Safe to drop.
    pub async fn next_view(&mut self) -> Result<View, LocalError> {
        match self.next().await?.outcome {
            ResponseOutcome::View(view) => Ok(*view),
            ResponseOutcome::Error(error) => Err(error.into()),
            ResponseOutcome::Answer(_) | ResponseOutcome::Link(_) => Err(LocalError::Protocol),
        }
    }

    /// Gives a command. Views that arrive meanwhile (while watching) are skipped.
    pub async fn command(&mut self, command: CommandView) -> Result<AnswerView, LocalError> {
        let mut outcome = self.call(Call::Command(command)).await?;
        loop {
            match outcome {
                ResponseOutcome::Answer(answer) => return Ok(answer),
                ResponseOutcome::Error(error) => return Err(error.into()),
                ResponseOutcome::Link(_) => return Err(LocalError::Protocol),
                ResponseOutcome::View(_) => outcome = self.next().await?.outcome,
            }
        }
    }

    /// A link that opens the device in a browser, once.
    pub async fn link(&mut self) -> Result<String, LocalError> {
        match self.call(Call::Link).await? {
            ResponseOutcome::Link(link) => Ok(link),
            ResponseOutcome::Error(error) => Err(error.into()),
            ResponseOutcome::View(_) | ResponseOutcome::Answer(_) => Err(LocalError::Protocol),
        }
    }

    /// Asks the engine to end.
    pub async fn stop(&mut self) -> Result<(), LocalError> {
        self.call(Call::Stop).await.map(|_| ())
    }

    async fn call(&mut self, call: Call) -> Result<ResponseOutcome, LocalError> {
        self.last_id += 1;
        let id = self.last_id;
        write_line(&mut self.send, &Request { id, call }).await?;
        loop {
            let response = self.next().await?;
            if response.id == id {
                return Ok(response.outcome);
            }
        }
    }

    async fn next(&mut self) -> Result<Response, LocalError> {
        if !read_line(&mut self.lines, &mut self.line).await? {
            return Err(LocalError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        let response = serde_json::from_slice(&self.line).map_err(|_| LocalError::Protocol);
        self.line.clear();
        response
    }
}

/// Takes what may come as a line, on either side.
#[cfg(any(test, fuzzing))]
pub(crate) fn enter_line(bytes: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<Request>(bytes) {
        let again = serde_json::to_vec(&request).expect("plain data");
        assert_eq!(
            serde_json::from_slice::<Request>(&again).ok(),
            Some(request)
        );
    }
    if let Ok(response) = serde_json::from_slice::<Response>(bytes) {
        let again = serde_json::to_vec(&response).expect("plain data");
        assert_eq!(
            serde_json::from_slice::<Response>(&again).ok(),
            Some(response)
        );
    }
}

/// Reads up to the end of a line into `line`, keeping what a dropped call has read already.
async fn read_line(
    lines: &mut BufReader<ReadHalf<Stream>>,
    line: &mut Vec<u8>,
) -> io::Result<bool> {
    let room = LINE_BYTES_MAX.saturating_sub(line.len() as u64);
    lines.take(room).read_until(b'\n', line).await?;
    match line.last() {
        Some(b'\n') => Ok(true),
        None => Ok(false),
        Some(_) if line.len() as u64 >= LINE_BYTES_MAX => Err(io::ErrorKind::InvalidData.into()),
        Some(_) => Ok(false),
    }
}

async fn write_line<T: Serialize>(send: &mut WriteHalf<Stream>, message: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    send.write_all(&line).await?;
    send.flush().await
}

/// The socket's name: a file in the home, or, where the home's path is too long for one, in the
/// runtime directory of this user, which nobody else may enter. There is no other place that a
/// stranger could not take first.
#[cfg(not(windows))]
fn name(home: &Path) -> io::Result<Name<'static>> {
    use interprocess::local_socket::{GenericFilePath, ToFsName};
    // `sun_path` holds 104 bytes on macOS and 108 on Linux.
    let in_home = home.join("engine.sock");
    let path = if in_home.as_os_str().len() < 100 {
        in_home
    } else {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime = runtime.filter(|directory| directory.is_absolute());
        runtime
            .ok_or_else(|| io::Error::other("the home's path is too long for a socket"))?
            .join(format!("{}.sock", unique(home)))
    };
    path.to_fs_name::<GenericFilePath>()
}

/// The pipe's name, which every program of this system may see.
#[cfg(windows)]
fn name(home: &Path) -> io::Result<Name<'static>> {
    use interprocess::local_socket::{GenericNamespaced, ToNsName};
    unique(home).to_ns_name::<GenericNamespaced>()
}

fn unique(home: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    home.hash(&mut hasher);
    format!("towline-{:016x}", hasher.finish())
}
