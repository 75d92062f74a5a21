//! Tests of the whole way from lines to messages.

mod device;
mod fold;
mod simulation;
mod tally;
mod target;
mod world;
