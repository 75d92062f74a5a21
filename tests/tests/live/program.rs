//! The program itself: `sync --watch` and `show --follow` on two machines, and other commands beside them.

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::cli::{Ended, Machine, Site};

const PATIENCE: Duration = Duration::from_secs(60);

/// A command that stays, with its lines as they come.
struct Staying {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

impl Staying {
    fn start(machine: &Machine, args: &[&str]) -> Self {
        let mut child = machine.start(args);
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, stdout, stderr }
    }

    fn watch(machine: &Machine) -> Self {
        let staying = Self::start(machine, &["sync", "--watch", "--json"]);
        staying.line(|line| line["schema"] == "chatkeep.sync/1");
        staying
    }

    /// Waits for a line of stdout.
    fn line(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.stdout.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("{:?}", self.stderr.try_iter().collect::<Vec<_>>()));
            let value: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            if wanted(&value) {
                return value;
            }
        }
    }

    fn warning(&self, code: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let line = self.stderr.recv_timeout(until.saturating_duration_since(Instant::now())).expect("a warning");
            if serde_json::from_str::<Value>(&line).unwrap()["code"] == code {
                return;
            }
        }
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Ends it by a signal; answers its exit code.
    fn ended(mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An export of messages `from..to` of one chat.
fn export(site: &Site, from: u64, to: u64) -> PathBuf {
    let path = site.dir.path().join(format!("chat-{from}-{to}.jsonl"));
    let line = |n: u64| {
        let ts = format!("2026-03-01T{:02}:{:02}:00Z", n / 60, n % 60);
        serde_json::json!({ "id": format!("m{n}"), "chat": "family", "sender": "Mum", "ts": ts, "text": format!("text {n}") })
    };
    std::fs::write(&path, (from..to).map(|n| format!("{}\n", line(n))).collect::<String>()).unwrap();
    path
}

fn import(machine: &Machine, export: &PathBuf) {
    machine.run(&["import", "--format", "jsonl", export.to_str().unwrap()]).succeeds();
}

/// Waits until a machine's archive holds so many messages.
fn has(machine: &Machine, messages: u64) {
    let until = Instant::now() + PATIENCE;
    let mut here = 0;
    while here != messages {
        assert!(Instant::now() < until, "{here} of {messages} messages");
        let chats = machine.json(&["chats"]);
        here = chats["chats"].as_array().unwrap().iter().map(|chat| chat["messages"].as_u64().unwrap()).sum();
    }
}

fn pair(site: &Site) -> (Machine, Machine) {
    let (laptop, kit) = site.registered("laptop");
    let phone = site.joined("phone", &kit);
    (laptop, phone)
}

#[test]
fn what_is_imported_here_is_followed_there_and_writers_need_not_wait() {
    let site = Site::new();
    let (laptop, phone) = pair(&site);
    let manager = site.dir.path().join("manager");
    let told = UnixDatagram::bind(&manager).unwrap();
    told.set_read_timeout(Some(PATIENCE)).unwrap();
    let laptop = laptop.with("NOTIFY_SOCKET", manager.to_str().unwrap());
    let hear = || {
        let mut line = [0; 64];
        let length = told.recv(&mut line).unwrap();
        String::from_utf8_lossy(&line[..length]).into_owned()
    };
    let at_laptop = Staying::watch(&laptop);
    assert_eq!(hear(), "READY=1\n");
    let at_phone = Staying::watch(&phone);
    import(&laptop, &export(&site, 0, 5));
    has(&phone, 5);
    let follows = Staying::start(&phone, &["show", "family", "--follow", "--json", "-n", "2"]);
    assert_eq!([3, 4].map(|_| follows.line(|_| true)["text"].clone()), ["text 3", "text 4"]);
    import(&laptop, &export(&site, 3, 8));
    let news = [5, 6, 7].map(|_| follows.line(|_| true));
    assert_eq!(news.each_ref().map(|line| line["text"].clone()), ["text 5", "text 6", "text 7"]);
    assert!(news.iter().all(|line| line["schema"] == "chatkeep.message/1"), "{news:?}");
    // An earlier message that comes late is new all the same.
    let late = site.dir.path().join("late.jsonl");
    let line = r#"{"id":"late","chat":"family","sender":"Dad","ts":"2026-03-01T00:01:30Z","text":"late"}"#;
    std::fs::write(&late, line).unwrap();
    import(&laptop, &late);
    assert_eq!(follows.line(|_| true)["text"], "late");

    // Both at home of a watcher; and a second watcher is told who the first is.
    let backup = laptop.json(&["backup"]);
    assert_eq!(backup["created"], true);
    laptop.run(&["sync"]).succeeds();
    laptop.run(&["sync", "--watch"]).fails(11, "E_BUSY");
    import(&phone, &export(&site, 8, 10));
    has(&laptop, 11);
    drop(follows);
    assert_eq!(at_laptop.ended("-TERM"), Some(143));
    assert_eq!(hear(), "STOPPING=1\n");
    assert!(!laptop.home.join("agent.sock").exists());
    assert_eq!(at_phone.ended("-INT"), Some(130));
    laptop.run(&["sync"]).succeeds();
    phone.run(&["sync"]).succeeds();
    assert_eq!(laptop.listed(), phone.listed());
}

#[test]
fn what_is_done_to_messages_is_followed_as_well() {
    let site = Site::new();
    let (laptop, phone) = pair(&site);
    import(&laptop, &export(&site, 0, 5));
    laptop.run(&["sync"]).succeeds();
    let _at_phone = Staying::watch(&phone);
    has(&phone, 5);
    let follows = Staying::start(&phone, &["show", "family", "--follow", "--json", "-n", "3"]);
    let ids = [2, 3, 4].map(|n| {
        let line = follows.line(|_| true);
        assert_eq!((&line["event"], &line["text"]), (&"new".into(), &format!("text {n}").into()));
        line["id"].as_str().unwrap().to_owned()
    });
    let new = site.dir.path().join("new.txt");
    std::fs::write(&new, "as it was meant").unwrap();
    laptop.run(&["edit", &ids[0], "--text-file", new.to_str().unwrap()]).succeeds();
    let line = follows.line(|_| true);
    assert_eq!((&line["event"], &line["text"]), (&"edited".into(), &"as it was meant".into()));
    laptop.run(&["react", &ids[1], "👍"]).succeeds();
    let line = follows.line(|_| true);
    let by_ana = serde_json::json!([{ "by": "ana", "emoji": "👍" }]);
    assert_eq!((&line["event"], &line["id"], &line["added"]), (&"reacted".into(), &ids[1].as_str().into(), &by_ana));
    laptop.run(&["react", &ids[1], "👍", "--remove"]).succeeds();
    assert_eq!(follows.line(|_| true)["removed"], by_ana);
    laptop.run(&["delete", &ids[2], "--yes"]).succeeds();
    let line = follows.line(|_| true);
    let gone = serde_json::json!({ "schema": "chatkeep.deleted/1", "event": "deleted", "id": ids[2] });
    assert_eq!(line, gone, "nothing of its text");
    laptop.run(&["undelete", &ids[2]]).succeeds();
    let line = follows.line(|_| true);
    assert_eq!((&line["event"], &line["text"]), (&"undeleted".into(), &"text 4".into()));
    let told = Staying::start(&phone, &["show", "family", "--follow", "-n", "1"]);
    let text = |wanted: &str| {
        let line = told.stdout.recv_timeout(PATIENCE).expect("a line");
        assert!(line.starts_with(wanted), "{line:?} begins with {wanted:?}");
    };
    text("2026-03-01 00:04  Mum  text 4");
    laptop.run(&["react", &ids[1], "🎉"]).succeeds();
    text("Reaction: ana 🎉: 2026-03-01 00:03  Mum  text 3");
    laptop.run(&["delete", &ids[2], "--yes"]).succeeds();
    text("Deleted: 2026-03-01 00:04  Mum ");
}

#[test]
fn a_writer_that_is_killed_gives_the_home_back() {
    let site = Site::new();
    let (laptop, phone) = pair(&site);
    laptop.import(1, 0, 40, 400_000);
    let at_laptop = Staying::watch(&laptop);
    let _at_phone = Staying::watch(&phone);
    let mut slow = laptop.start(&["backup", "--limit-upload", "100KiB/s"]);
    std::thread::sleep(Duration::from_secs(2));
    slow.kill().unwrap();
    assert!(!Ended::of(slow).stderr.contains("E_BUSY"));
    import(&phone, &export(&site, 0, 5));
    has(&laptop, 45);
    assert_eq!(at_laptop.ended("-TERM"), Some(143));
}

#[test]
fn a_watcher_outlives_its_service_and_takes_a_new_configuration() {
    let mut site = Site::new();
    let (laptop, phone) = pair(&site);
    let at_laptop = Staying::watch(&laptop);
    let at_phone = Staying::watch(&phone);
    site.program.kill();
    at_laptop.warning("E_UNREACHABLE");
    import(&laptop, &export(&site, 0, 5));
    import(&phone, &export(&site, 3, 9));
    site.restart();
    has(&phone, 9);
    has(&laptop, 9);

    std::fs::write(laptop.home.join("config.toml"), "[sync]\nintervall = \"1s\"\n").unwrap();
    at_laptop.signal("-HUP");
    at_laptop.warning("W_CONFIG");
    std::fs::write(laptop.home.join("config.toml"), "[sync]\ninterval = \"1s\"\n").unwrap();
    at_laptop.signal("-HUP");
    for _ in 0..3 {
        at_laptop.line(|line| line["attachments_waiting"] == 0);
    }
    assert_eq!(at_phone.ended("-TERM"), Some(143));
}
