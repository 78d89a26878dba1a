//! The door `websocket_heads` of `signal-server`.
#![no_main]

towline_fuzz::target!("websocket_heads");
