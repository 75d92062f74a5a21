//! One suite for every store: what each rule accepts and refuses, written against the documents, with records made here
//! by hand. Then the same random work on two stores, which must give equal answers.

pub(crate) mod author;
mod claims;
mod drops;
mod gates;
pub(crate) mod heads;
mod last_days;
mod logs;
mod mailboxes;
pub(crate) mod packs;
mod random;
mod rosters;

use super::{Model, Sqlite};

/// Runs each case on each store.
macro_rules! on_every_store {
    ($($group:ident :: $case:ident),* $(,)?) => {
        mod on_model {
            $(#[tokio::test] async fn $case() { super::$group::$case(&super::Model::new()).await; })*
        }
        mod on_sqlite {
            $(#[tokio::test] async fn $case() {
                let dir = tempfile::tempdir().unwrap();
                let store = super::Sqlite::open(&dir.path().join("meta.db")).await.unwrap();
                super::$group::$case(&store).await;
            })*
        }
    };
}

on_every_store! {
    gates::guesses_come_back_one_by_one,
    gates::single_use_values_are_taken_once,
    gates::an_invite_admits_as_often_as_it_says,
    gates::a_suspended_account_waits_and_a_deleted_one_goes,
    mailboxes::two_sides_leave_each_other_messages,
    mailboxes::a_mailbox_is_open_for_ten_minutes,
    mailboxes::an_account_has_few_mailboxes_and_messages_have_a_length,
    mailboxes::only_a_device_of_an_account_opens_a_mailbox,
    logs::registering_again_is_answered_alike,
    logs::a_name_belongs_to_one_account,
    logs::a_sign_in_proves_what_it_shows,
    logs::a_repeated_append_changes_nothing,
    logs::a_record_must_follow_its_authors_last,
    logs::a_record_must_fit_the_log,
    logs::a_batch_is_kept_whole_or_not_at_all,
    logs::server_time_never_falls,
    logs::every_page_proves_that_it_continues,
    logs::open_tells_what_is_new,
    logs::a_tail_has_an_end,
    claims::a_batch_has_limits,
    claims::a_permit_is_the_current_roots,
    claims::agreement_is_never_taken_back,
    claims::a_roster_is_of_its_log,
    packs::a_pack_is_reserved_then_whole_then_pinned,
    packs::room_is_charged_and_given_back,
    packs::what_is_due_is_gone_for_every_check,
    heads::a_head_stands_on_the_last_one,
    heads::a_head_names_only_what_is_there,
    heads::a_drop_waits_for_another_device,
    heads::a_head_erases_what_it_covers,
    drops::a_purge_goes_at_once,
    drops::a_purge_ends_the_wait_of_what_went_before,
    drops::the_brake_holds_what_is_too_much_for_a_day,
    drops::no_purge_ends_a_brake,
    drops::a_permit_lifts_the_brake_once,
    drops::bodies_go_when_a_head_is_confirmed,
    last_days::a_body_goes_after_its_last_day,
    last_days::a_pack_goes_after_its_last_day_head_or_no_head,
    last_days::a_head_says_the_last_day_of_its_packs_and_has_none,
    rosters::a_joining_device_ends_old_tokens,
    rosters::a_revoked_device_is_gone,
    rosters::a_leaving_device_is_gone_at_once,
    rosters::slots_come_with_their_roster,
    rosters::a_rotation_is_mirrored_in_order,
    rosters::a_slot_replaced_before_it_was_mirrored_is_erased_too,
    rosters::mirror_work_is_told_account_by_account,
    rosters::an_ended_account_goes_in_steps,
}
