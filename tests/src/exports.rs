//! Exports of a chat without ids, written as a messenger writes them, and read into an archive.

use std::path::Path;

use client::archive::Archive;
use client::event::{Chat, Row};
use client::merge::{Assembler, Choice, Export, Sketch, aliases, choose_strand, known_imports, known_strands};
use client::sources::export::open_path;
use client::sources::{Answers, ChatInfo, ImportError, Sink as _, whatsapp};

/// Line `n` of a chat that anybody can compute: three people, a line every 41 s, and every seventh the same two words.
pub fn line(n: usize) -> (String, &'static str, String) {
    let second = n * 41;
    let (day, hour, minute) = (1 + second / 86_400, second / 3600 % 24, second / 60 % 60);
    let (shown, half) = if hour % 12 == 0 { (12, hour / 12) } else { (hour % 12, hour / 12) };
    let time = format!("1/{day}/26, {shown}:{minute:02}:{:02} {}", second % 60, ["AM", "PM"][half]);
    let text = if n.is_multiple_of(7) { "yes please".to_owned() } else { format!("line number {n}") };
    (time, ["Mum", "Ana", "Ben"][n % 3], text)
}

/// Writes lines `from..to` as an export.
pub fn write(folder: &Path, from: usize, to: usize) {
    let lines = (from..to).map(line).map(|(time, sender, text)| format!("[{time}] {sender}: {text}\r\n"));
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("_chat.txt"), lines.collect::<String>()).unwrap();
}

/// Reads an export into an archive as the chat of a label.
pub fn import(archive: &mut Archive, folder: &Path, label: &str) {
    let opened = open_path(folder).unwrap();
    let answers = Answers { chat: Some(label.to_owned()), ..Answers::default() };
    let export = whatsapp::Export::survey(opened.files.as_ref(), &answers).unwrap();
    let facts = export.facts();
    let chat = Chat { source: "whatsapp".into(), conversation: label.to_owned() };
    let mut sketch = Sketch::new("whatsapp");
    export
        .scan(&mut |line| {
            sketch.line(&line);
            Ok(())
        })
        .unwrap();
    let mut stored: Vec<Row> = Vec::new();
    archive
        .each_row(None, false, |row| {
            if row.chat == chat {
                stored.push(row.row()?);
            }
            Ok(true)
        })
        .unwrap();
    let known = known_strands("whatsapp", &stored);
    let strand = match choose_strand("whatsapp", &sketch, &known, true) {
        Choice::Known(strand) | Choice::Own(strand) => strand,
        Choice::Ask(question) => panic!("{question:?}"),
    };
    let names = aliases("whatsapp", &sketch, &known, &known_imports(&stored));
    let plan = Export { strand, as_of: facts.last_time, precision: facts.precision, aliases: names };
    let mut assembler = Assembler::new("whatsapp", plan);
    let mut import = archive.import().unwrap();
    import.chat(&chat, &ChatInfo { title: Some(label.to_owned()), shape: None }).unwrap();
    let mut rows = Vec::new();
    let mut keep = |row| {
        rows.push(row);
        Ok::<(), ImportError>(())
    };
    export.read(&mut |line| assembler.line(line, &mut keep), &mut import).unwrap();
    assembler.finish(&mut keep).unwrap();
    for row in rows {
        import.row(&chat, row).unwrap();
    }
    import.finish().unwrap();
}
