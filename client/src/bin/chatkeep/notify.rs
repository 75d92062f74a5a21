//! What a service manager is told (`sd_notify`): nothing where none asks.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixDatagram;

/// States of a service.
#[derive(Clone, Copy)]
pub enum State {
    Ready,
    Stopping,
}

/// Tells the service manager, if `NOTIFY_SOCKET` names one.
pub fn tell(state: State) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|s| !s.is_empty()) else { return };
    let line = match state {
        State::Ready => "READY=1\n",
        State::Stopping => "STOPPING=1\n",
    };
    if let Err(error) = send(&socket, line) {
        tracing::warn!(%error, "the service manager was not told");
    }
}

fn send(socket: &OsStr, line: &str) -> std::io::Result<()> {
    let from = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return from.send_to_addr(line.as_bytes(), &address).map(drop);
    }
    from.send_to(line.as_bytes(), socket).map(drop)
}
