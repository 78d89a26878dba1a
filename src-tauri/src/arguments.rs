//! What the app is started with: the same options as the command line's `up`.

use std::path::PathBuf;

use clap::Parser;
use towline_engine::Settings;
use towline_engine::options::Options;

/// The signal server that a build uses: a setting of the release, none in a build from source.
const DEFAULT_SERVER: Option<&str> = option_env!("TOWLINE_DEFAULT_SERVER");

/// Towline in a window.
#[derive(Debug, Parser)]
#[command(name = "towline-app", version, about)]
pub struct Arguments {
    /// Where this device keeps its key and its index [default: the user's data directory].
    #[arg(long, env = "TOWLINE_HOME", value_name = "DIRECTORY")]
    home: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// Why the arguments are not enough.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentsError {
    /// Nobody said where the device lives.
    #[error("this user has no home directory; name one with --home")]
    NoHome,
}

impl Arguments {
    /// How the engine runs, if this app has to run one.
    pub(crate) fn settings(self) -> Result<Settings, ArgumentsError> {
        let home = self.home.or_else(default_home);
        let home = home.ok_or(ArgumentsError::NoHome)?;
        Ok(Settings {
            default_server: DEFAULT_SERVER.map(str::to_owned),
            ..self.options.settings(home)
        })
    }
}

/// The place that the command line takes too, so that both meet the same device.
pub(crate) fn default_home() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "towline").map(|places| places.data_dir().to_owned())
}
