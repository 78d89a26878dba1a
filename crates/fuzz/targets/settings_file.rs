//! The door `settings_file` of `towline-engine`.
#![no_main]

towline_fuzz::target!("settings_file");
