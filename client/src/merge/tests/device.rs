//! A device that imports exports as `backup` does: chooses the strand, assembles, joins rows into its archive.

use std::collections::BTreeMap;

use super::super::*;
use crate::event::{Precision, Row};

/// The ids of an account, from a key that only tests use.
pub fn id_of(chat: &Chat, row: &Row) -> EventId {
    let mut hasher = blake3::Hasher::new_keyed(&[5; 32]);
    for part in [chat.source.as_bytes(), chat.conversation.as_bytes(), &row.kind.id_class().to_le_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    hasher.update(row.native.as_bytes());
    EventId(*hasher.finalize().as_bytes())
}

pub struct Device {
    pub chat: Chat,
    pub rows: BTreeMap<EventId, Row>,
}

/// What an export's lines became: the row id of each, in order.
pub struct Imported {
    pub ids: Vec<EventId>,
    pub new_rows: usize,
}

impl Device {
    pub fn new(source: &str) -> Self {
        let chat = Chat { source: source.into(), conversation: "Family".into() };
        Self { chat, rows: BTreeMap::new() }
    }

    /// Imports lines; the person has named the chat, so nothing is asked.
    pub fn import(&mut self, lines: &[Line], precision: Precision) -> Imported {
        let mut sketch = Sketch::new(&self.chat.source);
        for line in lines {
            sketch.line(line);
        }
        let known = known_strands(&self.chat.source, self.rows.values());
        let imports = known_imports(self.rows.values());
        let choice = choose_strand(&self.chat.source, &sketch, &known, true);
        let strand = match choice {
            Choice::Known(strand) | Choice::Own(strand) => strand,
            Choice::Ask(_) => panic!("a named chat asks nothing"),
        };
        let aliases = aliases(&self.chat.source, &sketch, &known, &imports);
        let as_of = lines.iter().map(|l| l.unit).max().unwrap_or(0);
        let mut assembler = Assembler::new(&self.chat.source, Export { strand, as_of, precision, aliases });
        let mut out: Vec<Row> = Vec::new();
        let mut emit = |row: Row| -> Result<(), ()> {
            out.push(row);
            Ok(())
        };
        for line in lines {
            assembler.line(line.clone(), &mut emit).unwrap();
        }
        assembler.finish(&mut emit).unwrap();
        let messages = out.iter().filter(|r| r.kind.stands());
        let ids: Vec<_> = messages.map(|r| id_of(&self.chat, r)).collect();
        assert_eq!(ids.len(), lines.len());
        let before = self.rows.len();
        out.into_iter().for_each(|row| self.add(row));
        Imported { ids, new_rows: self.rows.len() - before }
    }

    pub fn add(&mut self, row: Row) {
        let id = id_of(&self.chat, &row);
        let Some(known) = self.rows.remove(&id) else {
            self.rows.insert(id, row);
            return;
        };
        let joined = join(id, &known, &row, |r| *blake3::keyed_hash(&[6; 32], &r.encode()).as_bytes());
        self.rows.insert(id, joined.row);
        if let Some(version) = joined.version {
            self.add(version);
        }
    }

    pub fn sync(&mut self, other: &Self) {
        other.rows.values().for_each(|row| self.add(row.clone()));
    }

    pub fn fold(&self) -> Folded {
        fold_chat(&self.chat, self.rows.iter().map(|(id, row)| (*id, row.clone())).collect())
    }
}
