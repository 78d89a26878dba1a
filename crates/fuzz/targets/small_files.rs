//! The door `small_files` of `towline-engine`.
#![no_main]

towline_fuzz::target!("small_files");
