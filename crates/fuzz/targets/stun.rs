//! The door `stun` of `towline-engine`.
#![no_main]

towline_fuzz::target!("stun");
