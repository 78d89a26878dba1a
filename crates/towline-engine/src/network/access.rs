//! The access tokens for signal servers that are not for everybody: each goes to the server that it was set for.

use towline_core::records::ChosenServer;
use towline_wire::server_url::{ServerUrl, ServerUrlError};
use towline_wire::signal::AccessToken;

/// A text that is no server's address, without the token that may have been in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoServerUrl(pub(crate) String);

/// Reads the address of a server as it is set, perhaps with a token in it: `wss://TOKEN@host/ws`.
pub(crate) fn read_server(text: &str) -> Result<ChosenServer, NoServerUrl> {
    let (url, token) =
        ServerUrl::with_token(text).map_err(|ServerUrlError| NoServerUrl(without_token(text)))?;
    Ok(ChosenServer { url, token })
}

/// By server.
#[derive(Debug, Default)]
pub(crate) struct AccessTokens(Vec<(ServerUrl, AccessToken)>);

impl AccessTokens {
    /// Those of these servers.
    pub(crate) fn of(servers: &[ChosenServer]) -> Self {
        let tokens = servers
            .iter()
            .filter_map(|server| Some((server.url.clone(), server.token.clone()?)));
        Self(tokens.collect())
    }

    /// That for the server at this address. One that was set for an encrypted connection is shown on no other.
    pub(crate) fn towards(&self, url: &str) -> Option<&AccessToken> {
        let dialled: ServerUrl = url.parse().ok()?;
        let fits = |server: &ServerUrl| {
            server.is_same_host(&dialled) && server.is_secure() == dialled.is_secure()
        };
        let mut tokens = self.0.iter();
        tokens.find_map(|(server, token)| fits(server).then_some(token))
    }
}

/// An address as it may be repeated to a person.
fn without_token(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        (None, Some((_, place))) => format!("…@{place}"),
        (_, None) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "s3cret-s3cret-s3cret";

    #[test]
    fn a_token_goes_to_its_own_server_and_is_in_no_address() {
        let with = format!("wss://{TOKEN}@meet.example/ws");
        let servers = [&with, "wss://other.example/ws"].map(|text| read_server(text).unwrap());
        let tokens = AccessTokens::of(&servers);
        assert_eq!(servers[0].url.as_str(), "wss://meet.example/ws");
        let shown = tokens.towards("wss://meet.example/ws");
        assert_eq!(shown.map(AccessToken::reveal), Some(TOKEN));
        for url in [
            "wss://other.example/ws",
            "ws://meet.example:443/ws",
            "wss://meet.example:8443/ws",
        ] {
            assert!(tokens.towards(url).is_none(), "{url}");
        }
        assert!(!format!("{servers:?} {tokens:?}").contains("s3cret"));
    }

    #[test]
    fn an_address_that_is_none_is_repeated_without_its_token() {
        for text in [
            format!("https://{TOKEN}@meet.example/ws"),
            format!("{TOKEN}@meet.example"),
            format!("wss://{TOKEN}:more@meet.example/ws"),
            "wss://short@meet.example/ws".to_owned(),
        ] {
            let NoServerUrl(said) = read_server(&text).unwrap_err();
            assert!(said.contains("meet.example"), "{said}");
            assert!(
                !said.contains("s3cret") && !said.contains("short"),
                "{said}"
            );
        }
    }
}
