//! The door `server_life` of `signal-server`.
#![no_main]

towline_fuzz::target!("server_life");
