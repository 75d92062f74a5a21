//! Messages with timers: gone after their last day from every byte and every device, and never before.

#[path = "timers/clocks.rs"]
mod clocks;
#[path = "purge/everything.rs"]
mod everything;
#[path = "timers/gone.rs"]
mod gone;
