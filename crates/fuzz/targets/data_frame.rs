//! The door `data_frame` of `towline-wire`.
#![no_main]

towline_fuzz::target!("data_frame");
