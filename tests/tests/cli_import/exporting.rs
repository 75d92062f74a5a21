use std::fs;

use serde_json::Value;
use tests::cli::Site;

use crate::files::{content, family, lines, telegram, write};

#[test]
fn what_was_imported_comes_out_on_another_device_and_goes_in_again_without_adding() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let dir = site.dir.path();
    let family = write(dir.join("WhatsApp Chat - Family.zip"), family(0..40));
    let tg = write(dir.join("tg/result.json"), telegram(0..30));
    laptop.run(&["backup", &family, &tg]).succeeds();
    let phone = site.joined("phone", &kit);
    phone.run(&["restore"]).succeeds();
    let outs = ["one", "two"].map(|name| dir.join(name));
    for (machine, out) in [(&laptop, &outs[0]), (&phone, &outs[1])] {
        let told = machine.json(&["export", "--as", "jsonl", "--out", &out.display().to_string()]);
        assert_eq!((&told["messages"], &told["chats"], &told["attachments"]), (&71.into(), &2.into(), &1.into()));
    }
    assert_eq!(content(&outs[0]), content(&outs[1]));
    let name = format!("media/{}.jpg", blake3::hash(b"a jpeg").to_hex());
    assert!(content(&outs[0]).contains(&(name, b"a jpeg".to_vec())));
    let again = phone.json(&["backup", &outs[0].display().to_string()]);
    assert_eq!((&again["messages_new"], &again["created"], &again["messages"]), (&0.into(), &false.into(), &71.into()));

    // An archive that knew none of it takes the same lines and gives the same ones back.
    let other = Site::new();
    let (stranger, _) = other.registered("stranger");
    stranger.run(&["import", &outs[0].display().to_string()]).succeeds();
    let third = dir.join("three");
    stranger.run(&["export", "--as", "jsonl", "--out", &third.display().to_string()]).succeeds();
    assert_eq!(content(&third), content(&outs[0]));
    let full = outs[0].display().to_string();
    laptop.run(&["export", "--as", "jsonl", "--out", &full]).fails(15, "E_TARGET_NOT_EMPTY");
}

#[test]
fn parts_are_chosen_by_chat_time_and_media() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let dir = site.dir.path();
    let family = write(dir.join("WhatsApp Chat - Family.zip"), family(0..40));
    let tg = write(dir.join("tg/result.json"), telegram(0..30));
    laptop.run(&["import", &family, &tg]).succeeds();
    let out = |name: &str| dir.join(name).display().to_string();
    let told = laptop.json(&["export", "Family", "--as", "jsonl", "--no-media", "--out", &out("a")]);
    assert_eq!((&told["messages"], &told["attachments"]), (&41.into(), &0.into()));
    assert_eq!(content(&dir.join("a")).len(), 1);
    let since = ["--since", "2024-05-13T08:10", "--until", "2024-05-13T08:15"];
    let told = laptop.json(&[&["export", "--as", "txt", "--out", &out("b")][..], &since].concat());
    assert_eq!((&told["messages"], &told["chats"]), (&10.into(), &2.into()));
    let texts = content(&dir.join("b"));
    assert_eq!(texts.len(), 2);
    assert!(texts.iter().any(|(_, text)| String::from_utf8_lossy(text).contains("line 14")), "{texts:?}");
    laptop.run(&["export", "Nobody", "--as", "txt", "--out", &out("c")]).fails(14, "E_NOT_FOUND");
}

#[test]
fn messages_with_timers_are_left_out_unless_asked_for() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let dir = site.dir.path();
    let line = |id: &str, more: &str| {
        format!(
            "{{\"id\":\"{id}\",\"chat\":\"c\",\"sender\":\"Ana\",\"ts\":\"2024-05-13T08:00:00.000Z\",\"text\":\"says {id}\"{more}}}\n"
        )
    };
    let timer = ",\"expires_at\":\"2099-05-13T08:00:00.000Z\",\"reactions\":[{\"by\":\"Bo\",\"emoji\":\"x\"}]";
    let lines = line("1", "") + &line("2", timer) + &line("3", ",\"expires_at\":\"2024-05-14T08:00:00.000Z\"");
    let given = write(dir.join("given/messages.jsonl"), lines);
    // The third has gone long ago: it is taken in here and goes once the server has told the time.
    laptop.run(&["backup", &given]).succeeds();
    laptop.run(&["sync"]).succeeds();
    let out = |name: &str| dir.join(name).display().to_string();
    let told = laptop.json(&["export", "--as", "jsonl", "--out", &out("a")]);
    assert_eq!(told["messages"], 1);
    let told = laptop.json(&["export", "--as", "jsonl", "--with-timed", "--out", &out("b")]);
    assert_eq!(told["messages"], 2);
    let text = fs::read_to_string(dir.join("b/messages.jsonl")).unwrap();
    let timed = text.lines().find(|line| line.contains("says 2")).unwrap();
    assert!(timed.contains("\"expires_at\":\"2099-05-13T08:00:00.000Z\""), "{timed}");
    assert!(!text.contains("says 3"), "its time is over");
    let other = Site::new();
    let (stranger, _) = other.registered("stranger");
    stranger.run(&["import", &out("b")]).succeeds();
    stranger.run(&["export", "--as", "jsonl", "--with-timed", "--out", &out("c")]).succeeds();
    assert_eq!(content(&dir.join("b")), content(&dir.join("c")));
}

#[test]
fn an_older_snapshot_shows_what_was_and_changes_nothing() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let dir = site.dir.path();
    let path = write(dir.join("Family.txt"), lines(0..40));
    let long = "word ".repeat(8_000);
    let tg = write(dir.join("tg/result.json"), telegram(0..30).replace("text 9\"", &format!("{long}\"")));
    let first = laptop.json(&["backup", &path, &tg])["snapshot"].as_str().unwrap().to_owned();
    write(dir.join("Family.txt"), lines(0..60));
    let second = laptop.json(&["backup", &path])["snapshot"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    let out = |name: &str| dir.join(name).display().to_string();
    let told = laptop.json(&["export", "--as", "jsonl", "--snapshot", &first[..8], "--out", &out("old")]);
    assert_eq!(told["messages"], 70);
    let old = fs::read_to_string(dir.join("old/messages.jsonl")).unwrap();
    let whole = |line: &str| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().is_some_and(|t| t == long);
    assert_eq!(old.lines().filter(|l| whole(l)).count(), 1, "a text that is a file of its own is whole");
    let told = laptop.json(&["export", "--as", "jsonl", "--snapshot", "latest", "--out", &out("new")]);
    assert_eq!(told["messages"], 90);

    let before = laptop.listed();
    let told = laptop.json(&["restore", &first[..8]]);
    assert_eq!((&told["snapshot"], &told["messages"]), (&first.as_str().into(), &70.into()));
    let text = laptop.run(&["restore", &first[..8]]).succeeds().stdout;
    assert!(
        text.contains("for reading; what is here now stays as it is.") && text.contains("Family  40 messages"),
        "{text}"
    );
    assert_eq!(laptop.listed(), before);
    laptop.run(&["restore", "ffff0000"]).fails(14, "E_NOT_FOUND");
}
