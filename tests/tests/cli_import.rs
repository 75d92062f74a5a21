//! Importing, reading and exporting through the program itself.

#[path = "cli_import/exporting.rs"]
mod exporting;
#[path = "cli_import/files.rs"]
mod files;
#[path = "cli_import/importing.rs"]
mod importing;
#[path = "cli_import/left_there.rs"]
mod left_there;
#[path = "cli_import/reading.rs"]
mod reading;
