//! Running the service: connections, certificates, what operators watch, logs.

pub mod listen;
pub mod log;
pub mod process;
pub mod stamp;
pub mod status;
pub mod tls;
pub mod watch;
