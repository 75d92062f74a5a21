//! When the service is gone: what its bucket and a recovery key give back, by the client and by a second reader that
//! was written from `docs/format.md` alone.

#[path = "bucket/damage.rs"]
mod damage;
#[path = "bucket/kept.rs"]
mod kept;
#[path = "bucket/reader.rs"]
mod reader;
#[path = "bucket/rotation.rs"]
mod rotation;
#[path = "bucket/service.rs"]
mod service;
#[path = "bucket/stopping.rs"]
mod stopping;
#[path = "bucket/whole.rs"]
mod whole;
#[path = "bucket/written.rs"]
mod written;
