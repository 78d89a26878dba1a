//! Fuzz targets for every decoder that meets bytes from outside: the network, the store, the disk.
//!
//! The doors are in the crates themselves (`doors.rs`), compiled for tests and for fuzzing; here each
//! gets a target of its own name.

pub use libfuzzer_sys;

/// A door of any crate.
#[derive(Clone, Copy)]
pub struct Door {
    pub name: &'static str,
    pub seeds: fn() -> Vec<Vec<u8>>,
    pub enter: fn(&[u8]),
}

/// All doors.
pub fn doors() -> Vec<Door> {
    macro_rules! of {
        ($doors:expr) => {
            $doors.iter().map(|door| Door {
                name: door.name,
                seeds: door.seeds,
                enter: door.enter,
            })
        };
    }
    #[cfg_attr(
        not(any(feature = "store", feature = "engine", feature = "server")),
        expect(unused_mut)
    )]
    let mut doors: Vec<Door> = of!(towline_wire::doors::DOORS).collect();
    #[cfg(feature = "store")]
    doors.extend(of!(towline_store::doors::DOORS));
    #[cfg(feature = "engine")]
    doors.extend(of!(towline_engine::doors::DOORS));
    #[cfg(feature = "server")]
    doors.extend(of!(signal_server::shell::doors::DOORS));
    doors
}

/// The door of this name.
pub fn door(name: &str) -> Door {
    let found = doors().into_iter().find(|door| door.name == name);
    found.unwrap_or_else(|| panic!("no door is called {name}"))
}

/// The whole of a target.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        static DOOR: std::sync::LazyLock<$crate::Door> =
            std::sync::LazyLock::new(|| $crate::door($name));

        $crate::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (DOOR.enter)(bytes));
    };
}
