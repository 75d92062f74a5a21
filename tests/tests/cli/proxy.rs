//! Through a proxy that the environment names: what it is told, and what not.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use tests::cli::Site;

/// A proxy that notes the head of every request, and opens the tunnel or refuses it.
struct Recording {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Recording {
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = heads.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let noted = noted.clone();
                std::thread::spawn(move || serve(client, answer, &noted));
            }
        });
        Self { address, heads }
    }

    fn told(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(mut client: TcpStream, answer: &str, noted: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1)?.to_owned();
    noted.lock().unwrap().push(head);
    client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).ok()?;
    if !answer.starts_with("200") {
        return None;
    }
    let server = TcpStream::connect(target).ok()?;
    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Both);
    });
    let (mut from_server, mut to_client) = (server, client);
    let _ = std::io::copy(&mut from_server, &mut to_client);
    let _ = to_client.shutdown(std::net::Shutdown::Both);
    None
}

#[test]
fn connections_go_through_the_proxy_and_it_learns_no_more_than_the_server() {
    let site = Site::with_tls();
    let proxy = Recording::start("200 Connection established");
    let url = format!("https://{}", site.program.address);
    let ca = site.dir.path().join("ca.pem").display().to_string();
    let laptop = site.machine("laptop").with("CHATKEEP_SERVER", &url).with("CHATKEEP_CA_FILE", &ca);
    let laptop = laptop.with("HTTPS_PROXY", &format!("http://ana:open-sesame@{}", proxy.address));
    let pass = laptop.passphrase.display().to_string();
    let account = laptop.account();
    laptop.run(&["register", &account, "--no-recovery-key", "--passphrase-file", &pass]).succeeds();
    laptop.import(1, 0, 5, 0);
    assert_eq!(laptop.json(&["backup"])["created"], true);
    let heads = proxy.told();
    assert!(heads.len() >= 2, "each command has gone through it: {heads:?}");
    for head in &heads {
        assert!(head.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", site.program.address)), "{head}");
        // `ana:open-sesame` in base64.
        assert!(head.to_lowercase().contains("proxy-authorization: basic "), "{head}");
        assert!(head.contains("YW5hOm9wZW4tc2VzYW1l"), "{head}");
    }
    let dns =
        laptop.json(&["doctor"])["checks"].as_array().unwrap().iter().find(|c| c["name"] == "dns").unwrap().clone();
    assert_eq!((&dns["result"], &dns["detail"]), (&"ok".into(), &"left to the proxy that HTTPS_PROXY names".into()));

    let before = proxy.told().len();
    let laptop = laptop.with("NO_PROXY", "127.0.0.1");
    laptop.run(&["sync"]).succeeds();
    assert_eq!(proxy.told().len(), before, "NO_PROXY names this server");
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password_and_never_gone_around() {
    let site = Site::with_tls();
    let proxy = Recording::start("403 Forbidden");
    let url = format!("https://{}", site.program.address);
    let ca = site.dir.path().join("ca.pem").display().to_string();
    let laptop = site.machine("laptop").with("CHATKEEP_SERVER", &url).with("CHATKEEP_CA_FILE", &ca);
    let pass = laptop.passphrase.display().to_string();
    let account = laptop.account();
    let register = ["register", &account, "--no-recovery-key", "--passphrase-file", &pass];
    let laptop = laptop.with("HTTPS_PROXY", &format!("http://ana:open-sesame@{}", proxy.address));
    let told = laptop.run(&register).fails(20, "E_UNREACHABLE");
    assert!(told.stderr.contains(&format!("through the proxy {}", proxy.address)), "{told:?}");
    assert!(!told.stderr.contains("open-sesame"), "{told:?}");
    assert_eq!(proxy.told().len(), 1);
    let laptop = laptop.with("HTTPS_PROXY", "socks5://127.0.0.1:1080");
    laptop.run(&register).fails(2, "E_USAGE");
    assert!(!laptop.home.exists());
}
