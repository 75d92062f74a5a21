//! Several devices of one account at one service: turns, races, exports that overlap, and a phone that was lost.

#[path = "devices/copied.rs"]
mod copied;
#[path = "devices/lost.rs"]
mod lost;
#[path = "devices/model.rs"]
mod model;
#[path = "devices/overlap.rs"]
mod overlap;
#[path = "devices/races.rs"]
mod races;
#[path = "devices/unread.rs"]
mod unread;
