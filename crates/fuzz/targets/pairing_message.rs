//! The door `pairing_message` of `towline-wire`.
#![no_main]

towline_fuzz::target!("pairing_message");
