//! `formats`: what can be read and written.

use client::sources::detect::FORMATS;
use serde_json::json;

use crate::output::Outcome;

pub fn run() -> Outcome {
    let list = FORMATS
        .iter()
        .map(|f| json!({ "name": f.name, "reads": f.reads, "writes": f.writes, "description": f.description }));
    let way = |is: bool, word: &'static str| if is { word } else { "" };
    let line = |f: &client::sources::detect::FormatInfo| {
        format!("{:<10}{:<7}{:<8}{}\n", f.name, way(f.reads, "reads"), way(f.writes, "writes"), f.description)
    };
    let text: String = FORMATS.iter().map(line).collect();
    Outcome::new(json!({ "schema": "chatkeep.formats/1", "formats": list.collect::<Vec<_>>() }), text)
}
