//! The door `relay_packet` of `towline-wire`.
#![no_main]

towline_fuzz::target!("relay_packet");
