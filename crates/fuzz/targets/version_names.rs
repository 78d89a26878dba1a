//! The door `version_names` of `towline-engine`.
#![no_main]

towline_fuzz::target!("version_names");
