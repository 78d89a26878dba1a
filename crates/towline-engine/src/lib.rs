//! The engine: carries out what the core decides, with real sockets, disks and clocks.
//!
//! One loop owns the core's `Device` (see `engine`); everything else does what an output says and
//! answers with an input. Bulk bytes move between `network` and `disk` without passing the core.

mod tasks;
