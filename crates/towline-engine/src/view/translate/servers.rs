//! The signal servers of a device, as shells see and name them.

use towline_core::records::ChosenServer;
use towline_wire::server_url::ServerUrl;

use crate::network::{NoServerUrl, read_server};
use crate::view::{Secret, ServersSetByView, ViewError};

/// The signal servers that are set for a device, as shells see them.
#[derive(Debug)]
pub(crate) struct OwnServers {
    /// Those that count, the preferred one first.
    pub(crate) urls: Vec<String>,
    /// As in [`ServerView`].
    pub(crate) usual: Option<String>,
    /// Who has set them.
    pub(crate) set_by: ServersSetByView,
}

/// Reads what a person calls a server by: its address, or its host alone.
pub(super) fn chosen(servers: Vec<Secret>) -> Result<Vec<ChosenServer>, ViewError> {
    let read = |said: Secret| {
        let text = said.reveal().trim();
        let chosen = if text.contains("://") {
            read_server(text)
        } else {
            ServerUrl::from_host(text)
                .map(|url| ChosenServer { url, token: None })
                .or_else(|_| read_server(text))
        };
        chosen.map_err(|NoServerUrl(detail)| ViewError {
            code: "server_url".to_owned(),
            detail: Some(detail),
        })
    };
    servers.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ChosenServer, ViewError> {
        let mut chosen = chosen(vec![Secret::new(text.to_owned())])?;
        Ok(chosen.remove(0))
    }

    #[test]
    fn a_host_alone_is_a_secure_server_unless_it_is_this_computer() {
        for (said, url) in [
            (" meet.example ", "wss://meet.example/ws"),
            ("192.168.1.5:8443", "wss://192.168.1.5:8443/ws"),
            ("localhost:8080", "ws://localhost:8080/ws"),
            ("ws://192.168.1.5:8080/ws", "ws://192.168.1.5:8080/ws"),
        ] {
            assert_eq!(read(said).unwrap().url.as_str(), url);
        }
    }

    #[test]
    fn a_token_is_kept_and_never_repeated() {
        let token = "s3cret-s3cret-s3cret";
        let server = read(&format!("wss://{token}@meet.example/ws")).unwrap();
        assert_eq!(server.url.as_str(), "wss://meet.example/ws");
        assert_eq!(server.token.unwrap().reveal(), token);
        for wrong in [
            format!("https://{token}@meet.example/ws"),
            format!("{token}@meet.example"),
        ] {
            let refused = read(&wrong).unwrap_err();
            assert_eq!(refused.code, "server_url");
            let detail = refused.detail.unwrap();
            assert!(
                detail.ends_with("…@meet.example/ws") || detail == "…@meet.example",
                "{detail}"
            );
        }
    }
}
