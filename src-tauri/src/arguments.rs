//! What the app is started with: the same options as the command line's `up`, and the links that
//! somebody opened.

use std::path::PathBuf;

use clap::Parser;
use towline_engine::Settings;
use towline_engine::options::Options;

use crate::links::Link;

/// Towline in a window.
#[derive(Debug, Parser)]
#[command(name = "towline-app", version, about)]
pub struct Arguments {
    /// Where this device keeps its key and its index [default: the user's data directory].
    #[arg(long, env = "TOWLINE_HOME", value_name = "DIRECTORY")]
    home: Option<PathBuf>,
    /// A pairing link to open, as the system gives it to the app. Whoever has it can pair once, and other users of
    /// this computer may see what a program is started with: paste it into the window where you can.
    #[arg(value_name = "LINK")]
    links: Vec<Link>,
    /// Show no window until somebody wants it, by the sign in the tray or by starting Towline again. Where no tray
    /// shows the sign, the window is there but minimised.
    #[arg(long)]
    hidden: bool,
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
    /// The latest link, which then is no longer here.
    pub(crate) fn take_link(&mut self) -> Option<Link> {
        self.links.drain(..).next_back()
    }

    /// Whether nobody wants to see the window yet; a link is there to be seen.
    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden && self.links.is_empty()
    }

    /// How the engine runs, if this app has to run one.
    pub(crate) fn settings(self) -> Result<Settings, ArgumentsError> {
        let home = self.home.or_else(default_home);
        let home = home.ok_or(ArgumentsError::NoHome)?;
        Ok(self.options.settings(home))
    }
}

/// The place that the command line takes too, so that both meet the same device.
pub(crate) fn default_home() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "towline").map(|places| places.data_dir().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_link_is_opened() {
        let start = ["towline-app", "towline://one", "--no-mdns", "towline://two"];
        let mut arguments = Arguments::try_parse_from(start).unwrap();
        assert_eq!(arguments.take_link(), "towline://two".parse().ok());
        assert_eq!(arguments.take_link(), None);
    }

    #[test]
    fn a_link_is_shown_even_to_who_wants_no_window() {
        let is_hidden = |start: &[&str]| Arguments::try_parse_from(start).unwrap().is_hidden();
        assert!(is_hidden(&["towline-app", "--hidden"]));
        assert!(!is_hidden(&["towline-app"]));
        assert!(!is_hidden(&["towline-app", "--hidden", "towline://one"]));
    }

    #[test]
    fn what_is_no_link_is_refused() {
        let start = ["towline-app", "ABC-234"];
        let error = Arguments::try_parse_from(start).unwrap_err().to_string();
        assert!(error.contains("a link begins with towline://"), "{error}");
    }

    #[test]
    fn what_is_wrong_beside_a_link_does_not_repeat_it() {
        let link = "towline://pair?k=secret";
        for wrong in [["--port", "many"], ["--nothing", "--such"]] {
            let start = ["towline-app", link, wrong[0], wrong[1], link];
            let error = Arguments::try_parse_from(start).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
