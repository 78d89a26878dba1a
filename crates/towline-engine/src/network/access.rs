//! The access tokens for signal servers that are not for everybody: each goes to the server that it was set for.

use towline_wire::server_url::{ServerUrl, ServerUrlError};
use towline_wire::signal::AccessToken;

/// By server.
#[derive(Debug, Default)]
pub(crate) struct AccessTokens(Vec<(ServerUrl, AccessToken)>);

impl AccessTokens {
    /// Reads the addresses of servers as they are set, perhaps with a token in them: `wss://TOKEN@host/ws`. What is
    /// no address comes back without its token.
    pub(crate) fn read(texts: &[String]) -> Result<(Vec<ServerUrl>, Self), String> {
        let mut tokens = Vec::new();
        let mut servers = Vec::with_capacity(texts.len());
        for text in texts {
            let (server, token) =
                ServerUrl::with_token(text).map_err(|ServerUrlError| without_token(text))?;
            tokens.extend(token.map(|token| (server.clone(), token)));
            servers.push(server);
        }
        Ok((servers, Self(tokens)))
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

    fn read(texts: &[&str]) -> Result<(Vec<ServerUrl>, AccessTokens), String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        AccessTokens::read(&texts)
    }

    #[test]
    fn a_token_goes_to_its_own_server_and_is_in_no_address() {
        let with = format!("wss://{TOKEN}@meet.example/ws");
        let (servers, tokens) = read(&[&with, "wss://other.example/ws"]).unwrap();
        assert_eq!(servers[0].as_str(), "wss://meet.example/ws");
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
            let said = read(&[&text]).unwrap_err();
            assert!(said.contains("meet.example"), "{said}");
            assert!(
                !said.contains("s3cret") && !said.contains("short"),
                "{said}"
            );
        }
    }
}
