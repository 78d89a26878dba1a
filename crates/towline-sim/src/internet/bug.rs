//! What the named bugs make of what devices ask of the network, and of what it tells them.

use std::net::SocketAddr;

use towline_core::io::{Input, NetworkRequest};
use towline_wire::signal::{ClientMessage, ServerMessage};

use super::Internet;
use super::wire::Datagram;

impl Internet {
    pub(super) fn bent_input(&mut self, _host: usize, input: Input) -> Option<Input> {
        Some(input)
    }

    pub(super) fn bent_request(
        &mut self,
        _host: usize,
        request: NetworkRequest,
    ) -> Vec<NetworkRequest> {
        vec![request]
    }

    pub(super) fn bent_notice(&mut self, message: ServerMessage) -> Vec<ServerMessage> {
        vec![message]
    }

    pub(super) fn passes_to_server(&mut self, _message: &ClientMessage) -> bool {
        true
    }

    pub(super) fn bent_reflection(&mut self, from: SocketAddr) -> SocketAddr {
        from
    }

    pub(super) fn copied(&mut self, _host: usize, _datagram: &Datagram) {}
}
