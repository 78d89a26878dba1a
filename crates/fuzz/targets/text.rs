//! The door `text` of `towline-wire`.
#![no_main]

towline_fuzz::target!("text");
