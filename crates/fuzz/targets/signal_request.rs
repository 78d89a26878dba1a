//! The door `signal_request` of `towline-wire`.
#![no_main]

towline_fuzz::target!("signal_request");
