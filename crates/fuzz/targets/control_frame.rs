//! The door `control_frame` of `towline-wire`.
#![no_main]

towline_fuzz::target!("control_frame");
