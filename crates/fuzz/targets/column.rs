//! The door `column` of `towline-store`.
#![no_main]

towline_fuzz::target!("column");
