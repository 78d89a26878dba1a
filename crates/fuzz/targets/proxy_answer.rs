//! The door `proxy_answer` of `towline-engine`.
#![no_main]

towline_fuzz::target!("proxy_answer");
