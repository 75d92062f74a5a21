//! One device doing one thing: what tests start as a process of its own, watch, and kill.
//!
//! `acting HOME SERVER ACT…`: `register DEVICE`, `login DEVICE`, `import CHAT FROM TO PHOTO`, `marked FILE`, `backup
//! LABEL`, `restore`, `check`, `list`, `sync`, `record CHAT FROM` (for ever, in live exchange; says which messages are kept).

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use client::archive::Archive;
use client::error::Result;
use client::event::{Attachment, Presence, Role};
use client::home::{FileKeys, Home};
use client::remote::{Network, ServerAddress};
use client::sources::{ChatInfo, Sink as _};
use client::sync::{BackupOptions, CheckLevel, Inbox, LiveOptions, RestoreOptions};
use client::vault::{Vault, Where, Work};
use tests::history::{chat, import, listed, message};
use tests::world::{PASSPHRASE, by_passphrase, label, name, reached_by, register_at};

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [home, server, act @ ..] = &arguments[..] else { return std::process::ExitCode::from(2) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(run(Path::new(home), server, act)) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::from(1)
        }
    }
}

async fn run(dir: &Path, server: &str, act: &[&str]) -> Result<()> {
    let at: Where = reached_by(Arc::new(Network::new(ServerAddress::parse(server)?, None)));
    let home = Home::at(dir);
    let keys = FileKeys::new(&home.key_path());
    match act {
        ["register", device] => return register_at(at, "ana", device).await?.0.install(&home, &keys).map(drop),
        ["login", device] => {
            let joined = Vault::login(at, name("ana"), by_passphrase(PASSPHRASE), label(device)).await?;
            return joined.install(&home, &keys).map(drop);
        }
        _ => {}
    }
    let mut vault = Vault::open(&home, &keys, at)?;
    let mut archive = vault.archive()?;
    let work = Work::quiet();
    match act {
        ["import", chat, from, to, photo] => {
            let number = |text: &str| text.parse::<u64>().expect("a number");
            import(&mut archive, number(chat) as usize, number(from), number(to), number(photo) as usize);
        }
        ["marked", file] => marked(&mut archive, &std::fs::read_to_string(file).expect("a file of markers")),
        ["backup", label] => {
            let options = BackupOptions { labels: vec![(*label).to_owned()] };
            vault.backup(&mut archive, &options, &work).await?;
        }
        ["restore"] => {
            let done = vault.restore(&mut archive, &RestoreOptions::default(), &work).await?;
            assert!(done.is_whole(), "{done:?}");
        }
        ["check"] => {
            let checked = vault.check(&mut archive, CheckLevel::Contents { percent: 100 }, &work).await?;
            assert!(checked.ok, "{checked:?}");
        }
        ["list"] => listed(&archive).iter().for_each(|line| println!("{line}")),
        ["sync"] => drop(vault.sync(&mut archive, &work).await?),
        ["record", number, from] => {
            let (recorder, mut inbox) = Inbox::new();
            let chat = chat(number.parse().expect("a number"));
            let writes = async {
                for n in from.parse().expect("a number").. {
                    let kept = recorder.record(chat.clone(), message(n, &format!("message {n}"))).await;
                    kept.expect("it is kept");
                    println!("{n}");
                }
            };
            let mut told = |_: client::sync::News<'_>| {};
            tokio::select! {
                ended = vault.watch(&mut archive, &mut inbox, LiveOptions::default(), &work, &mut told) => ended?,
                () = writes => {}
            }
        }
        other => panic!("no such act: {other:?}"),
    }
    Ok(())
}

/// Imports one message for each five markers: text, sender, title of its chat, file name, and the file's content.
fn marked(archive: &mut Archive, markers: &str) {
    let markers: Vec<&str> = markers.lines().collect();
    let mut import = archive.import().expect("an import");
    for (n, five) in markers.chunks_exact(5).enumerate() {
        let chat = chat(n);
        import.chat(&chat, &ChatInfo { title: Some(five[2].to_owned()), shape: None }).expect("a chat");
        let mut row = message(n as u64, &format!("before {} behind", five[0]));
        row.set_sender(&client::event::Party { name: Some(five[1].to_owned()), ..Default::default() });
        let content = format!("{0} {0} {1}", five[4], "filling ".repeat(200));
        let taken = import.file("a file", &mut Cursor::new(content.as_bytes())).expect("a file");
        row.set_attachments(&[Attachment {
            name: Some(format!("{}.txt", five[3])),
            mime: Some("text/plain".to_owned()),
            size: Some(taken.bytes),
            role: Role::File,
            presence: Presence::Present,
            hash: Some(taken.hash),
            source_ref: None,
            rest: Default::default(),
        }]);
        import.row(&chat, row).expect("a row");
    }
    import.finish().expect("an import's end");
}
