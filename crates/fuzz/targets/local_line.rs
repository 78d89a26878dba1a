//! The door `local_line` of `towline-engine`.
#![no_main]

towline_fuzz::target!("local_line");
