//! A server in the process of the test, for clients of every kind.

use std::net::SocketAddr;
use std::time::Duration;

use signal_server::shell::{Settings, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Ample on a busy machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    cancel: CancellationToken,
    running: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// One that does not drain, so that it is gone when it is stopped.
    pub(crate) async fn start(settings: Settings) -> Self {
        let settings = Settings {
            drain: Duration::ZERO,
            ..settings
        };
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has free ports");
        let address = listener.local_addr().expect("the listener is bound");
        let cancel = CancellationToken::new();
        let running = tokio::spawn(serve(listener.into(), settings, cancel.clone()));
        Self {
            address,
            cancel,
            running,
        }
    }

    /// Tells it to end.
    pub(crate) fn end(&self) {
        self.cancel.cancel();
    }

    pub(crate) async fn stop(self) {
        self.end();
        let ended = timeout(PATIENCE, self.running).await;
        let ended = ended.expect("the server stops in time");
        ended
            .expect("the server does not panic")
            .expect("the server ends well");
    }
}
