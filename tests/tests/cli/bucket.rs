//! The service gone: bucket and kit suffice.

use tests::cli::Site;

#[test]
fn a_bucket_and_a_kit_give_everything_back_without_a_service() {
    let mut site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 40, 30_000);
    laptop.run(&["backup"]).succeeds();
    site.restart();
    site.program.kill();
    let bucket = site.dir.path().join("service/objects").display().to_string();
    let key = kit.display().to_string();
    let heir = site.machine("heir");
    heir.run(&["restore", "--from-bucket", &bucket]).fails(2, "E_INPUT_REQUIRED");
    let restored = heir.json(&["restore", "--from-bucket", &bucket, "--recovery-key-file", &key]);
    assert_eq!((&restored["messages"], &restored["attachments"]), (&40.into(), &4.into()));
    assert_eq!(restored["verified"], true);
    assert_eq!(heir.json(&["log"])["snapshots"].as_array().unwrap().len(), 1, "it can be read");
    heir.run(&["backup"]).fails(10, "E_NOT_SET_UP");
    laptop.run(&["restore", "--from-bucket", &bucket, "--recovery-key-file", &key]).fails(15, "E_TARGET_NOT_EMPTY");
}

#[test]
fn a_head_that_was_taken_away_does_not_look_like_an_account_that_never_backed_up() {
    let mut site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    site.restart();
    let key = kit.display().to_string();
    let bucket = site.dir.path().join("service/objects").display().to_string();
    let restore = ["restore", "--from-bucket", &bucket, "--recovery-key-file", &key];
    let told = site.machine("early").run(&restore).fails(14, "E_NOT_FOUND");
    assert!(told.stderr.contains("this bucket holds no backup of ana yet"), "{told:?}");
    laptop.import(1, 0, 40, 30_000);
    laptop.run(&["backup"]).succeeds();
    site.restart();
    site.program.kill();
    let account = site.packs()[0].parent().unwrap().to_owned();
    std::fs::remove_file(account.join("head")).unwrap();
    let told = site.machine("late").run(&restore).fails(30, "E_DAMAGED");
    assert!(told.stderr.contains("the newest head of ana is missing, and nothing else says what its "), "{told:?}");
}
