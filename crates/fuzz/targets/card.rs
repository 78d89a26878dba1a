//! The door `card` of `towline-wire`.
#![no_main]

towline_fuzz::target!("card");
