//! The door `signal_notice` of `towline-wire`.
#![no_main]

towline_fuzz::target!("signal_notice");
