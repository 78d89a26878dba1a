//! The door `server_stun` of `signal-server`.
#![no_main]

towline_fuzz::target!("server_stun");
