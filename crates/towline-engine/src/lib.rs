//! The engine: carries out what the core decides, with real sockets, disks and clocks.
//!
//! [`Engine`] is one running device. One loop owns the core's `Device` (see `engine`); everything
//! else does what an output says and answers with an input. Bulk bytes move between `network` and
//! `disk` through `transfer` without passing the core. Shells see [`view`] types only, in process or
//! through the local socket ([`LocalClient`]).

mod boot;
mod clock;
mod diagnostics;
mod disk;
mod doctor;
#[cfg(any(test, fuzzing))]
pub mod doors;
mod engine;
mod folders;
mod key;
mod ledger;
mod local;
mod logs;
mod memory;
mod metrics;
mod network;
#[cfg(feature = "options")]
pub mod options;
mod past;
mod port;
mod release;
mod renew;
mod settings_file;
mod tasks;
mod traffic;
mod transfer;
pub mod updates;
pub mod view;

pub use diagnostics::diagnostics;
pub use engine::{Engine, EngineFault, Handle, MakeLink, Settings, StartError, StoreBroken};
pub use key::{KeyError, KeyPreference};
pub use local::{LocalClient, LocalError};
pub use logs::{LogForm, begin_log, kept_log, log_directory};
pub use memory::let_heaps_breathe;
#[cfg(feature = "measure")]
pub use network::measure;
pub use network::{NetworkError, PortMapping, ProxyError};
pub use renew::{RenewError, renew_identity};
pub use settings_file::{FileError, IceServersText};
pub use towline_core::io::{Discovery, NetworkScope};
pub use view::ViewError;
