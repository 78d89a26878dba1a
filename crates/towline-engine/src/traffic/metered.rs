//! Asks the system whether the present network costs by volume.
//!
//! On Linux NetworkManager says so over D-Bus, and tells when it changes; phones that share their
//! connection are recognised by it. Without NetworkManager, and on other systems, nothing is known and
//! the network counts as free: then a person says it in the settings. Nobody is asked unless a rule
//! depends on it.

use std::time::Duration;

use tokio::sync::watch;
use towline_core::records::{DeviceSettings, NetworkCost};

use super::asks_system;

/// Tells what the system says, as long as it is of any use.
pub(super) async fn watch(
    mut settings: watch::Receiver<DeviceSettings>,
    cost: watch::Sender<NetworkCost>,
) {
    while settings.wait_for(asks_system).await.is_ok() {
        let asking = async {
            loop {
                follow(&cost).await;
                cost.send_replace(NetworkCost::default());
                tokio::time::sleep(ASK_AGAIN_AFTER).await;
            }
        };
        tokio::select! {
            () = asking => {}
            _ = settings.wait_for(|settings| !asks_system(settings)) => {}
        }
        cost.send_replace(NetworkCost::default());
    }
}

#[cfg(target_os = "linux")]
use linux::follow;

#[cfg(target_os = "linux")]
mod linux {
    use futures_util::stream::StreamExt;
    use tokio::sync::watch;
    use towline_core::records::NetworkCost;
    use tracing::debug;
    use zbus::{Connection, proxy};

    /// The part of NetworkManager that is asked.
    #[proxy(
        interface = "org.freedesktop.NetworkManager",
        default_service = "org.freedesktop.NetworkManager",
        default_path = "/org/freedesktop/NetworkManager",
        gen_blocking = false
    )]
    trait NetworkManager {
        /// `NMMetered` of the connection that carries the default route.
        #[zbus(property)]
        fn metered(&self) -> zbus::Result<u32>;
    }

    /// Tells what NetworkManager says until it cannot be asked any more.
    pub(super) async fn follow(cost: &watch::Sender<NetworkCost>) {
        let heard = match Connection::system().await {
            Ok(bus) => hear(&bus, cost).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = heard {
            debug!(%fault, "nobody says whether the network costs by volume");
        }
    }

    /// Tells what NetworkManager says on this bus.
    pub(super) async fn hear(
        bus: &Connection,
        cost: &watch::Sender<NetworkCost>,
    ) -> zbus::Result<()> {
        let manager = NetworkManagerProxy::new(bus).await?;
        let mut changes = manager.receive_metered_changed().await;
        cost.send_replace(cost_of(manager.metered().await?));
        while let Some(change) = changes.next().await {
            cost.send_replace(cost_of(change.get().await?));
        }
        Ok(())
    }

    /// NetworkManager says 1 for yes and 3 for a guess of yes; 0, 2 and 4 are unknown, no, and a guess
    /// of no.
    const fn cost_of(metered: u32) -> NetworkCost {
        match metered {
            1 | 3 => NetworkCost::ByVolume,
            _ => NetworkCost::Free,
        }
    }
}

/// Nobody is known to ask.
#[cfg(not(target_os = "linux"))]
async fn follow(_cost: &watch::Sender<NetworkCost>) {
    std::future::pending().await
}

/// When the system is asked again after it could not be: a minute. NetworkManager comes back after an
/// update; a machine without it costs one refused question a minute.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);

#[cfg(all(test, target_os = "linux"))]
mod tests;
