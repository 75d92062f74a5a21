//! The socket's serving end.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::answer::Admin;
use super::protocol::{AdminError, REQUEST_BYTES_MAX, Request};
use crate::env::files::make_private_dir;

const CONNECTIONS_MAX: usize = 16;
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Makes the socket for its owner alone. One left by a process that is gone is replaced; a living one is not.
pub async fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        make_private_dir(directory)?;
    }
    if UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another service answers there"));
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers for ever.
pub async fn serve(listener: UnixListener, admin: Arc<Admin>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let admin = admin.clone();
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = converse(stream, &admin).await {
                tracing::debug!(event = "admin_connection_failed", %error);
            }
        });
    }
}

async fn converse(stream: UnixStream, admin: &Admin) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(REQUEST_BYTES_MAX));
    let read = tokio::time::timeout(REQUEST_DEADLINE, reader.read_line(&mut line)).await;
    read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(request) => admin.answer(request).await.unwrap_or_else(|e| e.to_json()),
        Err(_) => AdminError::new("E_USAGE", 2, "this is not a request this version knows").to_json(),
    };
    writer.write_all(format!("{answer}\n").as_bytes()).await
}
