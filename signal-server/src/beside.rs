//! A signal server in the process of another program, for the devices on its network.
//!
//! It is as open as the network that it is on: plain, for everybody who reaches its port, with the limits that every
//! server has. Who wants more runs the server as a process of its own, with its options.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::shell::{Settings, serve};

/// The port that is tried first: the server's own.
pub const USUAL_PORT: u16 = 8080;

/// A running server. It ends when this is dropped; [`Beside::stop`] also waits for that.
#[derive(Debug)]
pub struct Beside {
    port: u16,
    cancel: CancellationToken,
    serving: JoinHandle<io::Result<()>>,
}

impl Beside {
    /// Serves on all IPv4 addresses of this computer, at this port; 0 takes any free one.
    ///
    /// # Errors
    /// When the system does not give the port.
    pub async fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
        let port = listener.local_addr()?.port();
        let cancel = CancellationToken::new();
        let serving = tokio::spawn(serve(listener.into(), Settings::default(), cancel.clone()));
        tracing::info!(port, "a signal server runs in this process");
        Ok(Self {
            port,
            cancel,
            serving,
        })
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Tells the clients to go, and waits until they have gone or the time for that is over.
    ///
    /// # Errors
    /// When it had failed.
    pub async fn stop(mut self) -> io::Result<()> {
        self.cancel.cancel();
        (&mut self.serving).await.map_err(io::Error::other)?
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn it_listens_until_it_is_stopped_and_gives_its_port_back() {
        let first = Beside::start(0).await.unwrap();
        let port = first.port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let taken = Beside::start(port).await.unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        first.stop().await.unwrap();
        Beside::start(port).await.unwrap().stop().await.unwrap();
    }
}
