//! The door `settings` of `towline-store`.
#![no_main]

towline_fuzz::target!("settings");
