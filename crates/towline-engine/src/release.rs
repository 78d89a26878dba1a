//! What a release is built with: its publisher's address and key.
//!
//! Both are settings of the build and stand nowhere in the repository; a build from source has none, and then no
//! updates. `cargo xtask dist --release` refuses to build without them. A build for debugging takes them from the
//! environment it runs in instead, so that tests can make keys and addresses of their own.

/// Where the manifest of a channel lies; `{channel}` stands for its name.
const UPDATE_URL: Option<&str> = option_env!("TOWLINE_UPDATE_URL");

/// The key that signs releases, as `cargo xtask release-key` prints it.
const UPDATE_KEY: Option<&str> = option_env!("TOWLINE_UPDATE_KEY");

/// The address of manifests, if this build has one.
pub(crate) fn update_url() -> Option<String> {
    setting("TOWLINE_UPDATE_URL", UPDATE_URL)
}

/// The key of releases, if this build has one.
pub(crate) fn update_key() -> Option<String> {
    setting("TOWLINE_UPDATE_KEY", UPDATE_KEY)
}

fn setting(name: &str, built_in: Option<&str>) -> Option<String> {
    let here = cfg!(debug_assertions).then(|| std::env::var(name).ok());
    let text = here.flatten().or_else(|| built_in.map(str::to_owned));
    text.filter(|text| !text.is_empty())
}
