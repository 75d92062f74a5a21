//! Writers of the archive's messages for people and other programs (SURFACE §6 `export`).
