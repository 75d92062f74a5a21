//! A new device joins by a pairing code: both ends of it, what stands between them, and what a wrong code does.

#[path = "pairing/between.rs"]
mod between;
#[path = "pairing/clock.rs"]
mod clock;
#[path = "pairing/codes.rs"]
mod codes;
#[path = "pairing/first.rs"]
mod first;
#[path = "pairing/middle.rs"]
mod middle;
#[path = "pairing/pair.rs"]
mod pair;
#[path = "pairing/program.rs"]
mod program;
