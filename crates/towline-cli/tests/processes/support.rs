//! What every test stands on: a world of directories, a server, devices, and trees to compare.

#[cfg(target_os = "linux")]
pub(crate) mod avahi;
#[cfg(target_os = "linux")]
pub(crate) mod capture;
#[cfg(target_os = "linux")]
pub(crate) mod coturn;
pub(crate) mod device;
#[cfg(target_os = "linux")]
pub(crate) mod etc;
#[cfg(target_os = "linux")]
pub(crate) mod flood;
#[cfg(target_os = "linux")]
pub(crate) mod lan;
#[cfg(target_os = "linux")]
pub(crate) mod ledger;
#[cfg(target_os = "linux")]
pub(crate) mod listing;
#[cfg(target_os = "linux")]
pub(crate) mod manager;
#[cfg(target_os = "linux")]
pub(crate) mod net;
#[cfg(target_os = "linux")]
pub(crate) mod nginx;
#[cfg(target_os = "linux")]
pub(crate) mod person;
#[cfg(target_os = "linux")]
pub(crate) mod power;
pub(crate) mod running;
pub(crate) mod seed;
pub(crate) mod server;
#[cfg(target_os = "linux")]
pub(crate) mod spaces;
pub(crate) mod system;
pub(crate) mod tree;
pub(crate) mod watch;
pub(crate) mod world;

use std::env;
use std::time::Duration;

pub(crate) use device::Device;
pub(crate) use seed::Seed;
pub(crate) use server::Server;
pub(crate) use watch::Watch;
pub(crate) use world::World;

/// How long anything may take that takes a moment: 60 s, far above what it needs, so that a loaded
/// machine is not an error.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A number from the environment, for whoever wants more than a test does by itself.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number"))
    })
}
