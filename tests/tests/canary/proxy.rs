//! A TCP proxy that keeps every byte that passes, both ways.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub type Recorded = Arc<Mutex<Vec<u8>>>;

/// Listens on loopback before `to`.
pub fn before(to: SocketAddr) -> (SocketAddr, [Recorded; 2]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let recorded = [Recorded::default(), Recorded::default()];
    let ways = recorded.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(to) else { continue };
            let (client_again, server_again) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            for (from, to, kept) in [(client, server, ways[0].clone()), (server_again, client_again, ways[1].clone())] {
                std::thread::spawn(move || pass(from, to, &kept));
            }
        }
    });
    (address, recorded)
}

fn pass(mut from: TcpStream, mut to: TcpStream, kept: &Recorded) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        kept.lock().unwrap().extend_from_slice(&buffer[..n]);
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
