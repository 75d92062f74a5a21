//! Backup, restore and exchange end to end: the client against a real service in this process.

#[path = "sync/first.rs"]
mod first;
#[path = "sync/left_there.rs"]
mod left_there;
#[path = "sync/retention.rs"]
mod retention;
