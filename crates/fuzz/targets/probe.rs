//! The door `probe` of `towline-engine`.
#![no_main]

towline_fuzz::target!("probe");
