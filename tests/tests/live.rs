//! Devices in live exchange: what one writes, the others can read at once.

#[path = "live/device.rs"]
mod device;
#[path = "live/exchange.rs"]
mod exchange;
#[path = "live/program.rs"]
mod program;
#[path = "live/unkept.rs"]
mod unkept;
