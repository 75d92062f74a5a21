//! A file of an export is what it was when it was read, or it is not taken: neither to the vault nor by a reader.

use client::archive::Anchor;
use client::env::Env;
use client::import::{FilesOf, ImportOptions, import};
use client::sync::BackupOptions;
use client::vault::Work;
use tests::world::{Place, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_is_neither_sent_nor_read() {
    let world = World::new();
    let place = Place::new();
    let (joined, _) = world.register("ana", "laptop").await;
    let mut laptop = place.install(joined);
    let mut archive = laptop.archive().unwrap();
    let export = tempfile::tempdir().unwrap();
    let (photo, line) = (export.path().join("photo.jpg"), export.path().join("messages.jsonl"));
    std::fs::write(&photo, [1; 40_000]).unwrap();
    let text = r#"{"id":"1","chat":"c","ts":"2024-05-13T08:00:00Z","sender":"A","text":"t","attachments":[{"path":"photo.jpg"}]}"#;
    std::fs::write(line, text).unwrap();
    let options = ImportOptions { files: FilesOf::LeftThere, ..ImportOptions::default() };
    let paths = [export.path().to_path_buf()];
    import(&mut archive, &paths, &options, &Work::quiet(), &Env::system()).unwrap();
    let chat = archive.chats().unwrap().remove(0).id;
    let attachment = archive.page(&chat, Anchor::End, 1, 0).unwrap().remove(0).message.attachments.remove(0);
    assert!(archive.attachment(&attachment).unwrap().is_some());

    std::fs::write(&photo, [2; 40_000]).unwrap();
    assert!(archive.attachment(&attachment).unwrap().is_none(), "another file lies there");
    let backup = laptop.backup(&mut archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    assert_eq!((backup.attachments_new, backup.attachments_waiting), (0, 1));

    std::fs::write(&photo, [1; 40_000]).unwrap();
    assert!(archive.attachment(&attachment).unwrap().is_some());
    let backup = laptop.backup(&mut archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    assert_eq!((backup.attachments_new, backup.attachments_waiting), (1, 0));
}
