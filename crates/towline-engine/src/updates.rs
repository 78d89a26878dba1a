//! Whether a newer release exists, for shells.
//!
//! Who publishes releases is a setting of the build ([`Publisher`]); which of them this device follows is said by the
//! policy, by the device's own file, or else by its person ([`UpdateRule`]). A channel's manifest is signed as a
//! whole, so a release that is announced here was announced by whoever holds the key. When to ask is decided by
//! [`next_check`]; what was found is kept in the home ([`Kept`]), for the next start and for other shells.
//!
//! Nothing is installed here. A request is the same from everybody: it names no device and no version.

mod kept;
mod manifest;
mod publisher;
mod rule;
mod schedule;

pub use semver::Version;

pub use self::kept::{Asking, Found, Kept};
pub use self::manifest::{ManifestError, Release};
pub use self::publisher::{CheckError, Publisher};
pub(crate) use self::rule::WrittenRule;
pub use self::rule::{Channel, Pin, RuleError, SaidBy, UpdateRule, UpdateSettings};
pub use self::schedule::next_check;
