//! How long searches take inside one process: what `benches/search` asks for as a whole process, without its start.
//!
//! `search_in_process HOME < QUERIES`: a line of QUERIES is a query, the full id of a chat or nothing, and a time in ms or
//! nothing, with tabs between. For each it prints microseconds and how many messages match.

use std::error::Error;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use client::archive::{Filters, Query};
use client::env::Env;
use client::home::{FileKeys, Home};
use client::remote::{Network, ServerAddress};
use client::vault::{Vault, Where};

/// As many as `chatkeep search` shows unless told otherwise.
const SHOWN: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let home = Home::at(&PathBuf::from(std::env::args_os().nth(1).ok_or("which home?")?));
    let keys = FileKeys::new(&home.key_path());
    let identity = Vault::identity(&keys)?.ok_or("no account is set up there")?;
    let server = ServerAddress::parse(&identity.server)?;
    let way = Where::new(Arc::new(Network::new(server, None)), Env::system());
    let archive = Vault::open(&home, &keys, way)?.reader()?;
    let chats = archive.chats()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut parts = line.split('\t');
        let (text, chat, since) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let chat = match chat {
            "" => None,
            id => Some(chats.iter().find(|c| c.id.hex() == id).ok_or("no such chat")?.id),
        };
        let since = if since.is_empty() { None } else { Some(since.parse()?) };
        let filters = Filters { chat, since, ..Filters::default() };
        let begun = Instant::now();
        let found = archive.search(&Query::parse(text), &filters, SHOWN)?;
        println!("{}\t{}", begun.elapsed().as_micros(), found.total);
    }
    Ok(())
}
