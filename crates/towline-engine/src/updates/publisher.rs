//! Who publishes releases, and the question for the newest one.
//!
//! Two small files are asked for: a channel's manifest, and beside it its signature (`.sig`). Only over TLS, but for
//! a build for debugging; through the proxy that is set for everything else.

use std::time::Duration;

use minisign_verify::PublicKey;
use reqwest::{Client, Proxy, StatusCode};
use semver::Version;

use super::manifest::{self, ManifestError, Release};
use super::rule::UpdateSettings;
use crate::network::tls_settings;
use crate::release;

/// Longest manifest in bytes: 256 KiB, ten times one with long notes and twenty platforms.
const BYTES_MAX: usize = 256 * 1024;

/// Longest time until one of both files is here: 30 s, for slow lines; who is asked daily can wait.
const WITHIN: Duration = Duration::from_secs(30);

/// How every device names itself.
const USER_AGENT: &str = "towline";

/// Who publishes releases.
#[derive(Debug, Clone)]
pub struct Publisher {
    url: String,
    key_text: String,
    key: PublicKey,
}

/// Why nobody knows whether there is a newer release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The publisher does not answer.
    #[error("the publisher of updates cannot be reached")]
    Unreachable,
    /// The publisher has nothing for this channel.
    #[error("there is no manifest of updates")]
    NothingThere,
    /// The answer is not believed.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl CheckError {
    /// The code that shells have words for.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::NothingThere => "nothing_there",
            Self::Manifest(ManifestError::Signature) => "manifest_signature",
            Self::Manifest(ManifestError::Malformed) => "manifest_malformed",
        }
    }
}

impl Publisher {
    /// The publisher of this build; none in a build from source.
    pub fn of_this_build() -> Option<Self> {
        let key_text = release::update_key()?;
        let key = manifest::read_key(&key_text)?;
        Some(Self {
            url: release::update_url()?,
            key_text,
            key,
        })
    }

    /// Its key as text, for who checks what is downloaded.
    pub fn key(&self) -> &str {
        &self.key_text
    }

    /// The newest release that a device goes on to from the version `here`; `None` when it is there already.
    pub async fn newest(
        &self,
        settings: &UpdateSettings,
        here: &Version,
    ) -> Result<Option<Release>, CheckError> {
        let Some(channel) = settings.rule.channel() else {
            return Ok(None);
        };
        let url = self.url.replace("{channel}", channel.word());
        let client = client(settings.proxy.as_deref()).ok_or(CheckError::Unreachable)?;
        let manifest = fetch(&client, &url).await?;
        let signature = fetch(&client, &format!("{url}.sig")).await?;
        let signature = String::from_utf8(signature).map_err(|_| ManifestError::Signature)?;
        let release = manifest::read(&self.key, &manifest, &signature)?;
        Ok(Some(release).filter(|release| settings.rule.leads(here, &release.version)))
    }
}

fn client(proxy: Option<&str>) -> Option<Client> {
    let tls = tls_settings()?;
    let builder = Client::builder()
        .tls_backend_preconfigured(rustls::ClientConfig::clone(&tls))
        .https_only(cfg!(not(debug_assertions)))
        .user_agent(USER_AGENT)
        .timeout(WITHIN);
    let builder = match proxy {
        None => builder,
        Some("") => builder.no_proxy(),
        Some(url) => builder.proxy(Proxy::all(url).ok()?),
    };
    builder.build().ok()
}

async fn fetch(client: &Client, url: &str) -> Result<Vec<u8>, CheckError> {
    let unreachable = |error: reqwest::Error| {
        // Without its address, which may be a proxy's with a password.
        tracing::debug!(error = %error.without_url(), "no word of updates");
        CheckError::Unreachable
    };
    let mut response = client.get(url).send().await.map_err(unreachable)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(CheckError::NothingThere),
        _ => return Err(CheckError::Unreachable),
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > BYTES_MAX {
            return Err(ManifestError::Malformed.into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
