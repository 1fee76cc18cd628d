//! An app whose files come back from an earlier moment, or not whole.

use std::path::{Path, PathBuf};

use ipc::{Code, MoneyPlace};
use virtual_card::{Fault, Moment};

use crate::stage::{CARD_BEFORE, Stage, card_back, failure};

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn only_file(stage: &Stage) -> PathBuf {
    let folder = std::fs::read_dir(stage.app_dir().join("journal")).unwrap();
    folder.map(|file| file.unwrap().path()).next().unwrap()
}

/// What a file of the journal says.
fn newest(file: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(file).unwrap();
    let values = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
    let values: Vec<_> = values.map(Result::unwrap).collect();
    let states = values
        .chunks(2)
        .max_by_key(|state| state[0]["seq"].as_u64());
    states.unwrap()[1].clone()
}

/// As releases before there were two states in a file left it.
fn in_the_old_form(file: &Path) {
    let text = serde_json::to_vec_pretty(&newest(file)).unwrap();
    std::fs::write(file, text).unwrap();
}

async fn torn(stage: &Stage, moment: Moment) {
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment,
        nth: 1,
    });
    failure(stage.person.top_up(700).await);
}

async fn nothing_waits(stage: &Stage) {
    let settled = |view: &ipc::AppView| view.pending.is_empty();
    let view = stage.person.until("nothing waits", settled).await.unwrap();
    assert_eq!(view.trouble, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_from_before_a_re_top_up_learn_its_end_without_the_card() {
    for (moment, refund) in [
        (Moment::Before, false),
        (Moment::After, false),
        (Moment::Before, true),
    ] {
        let mut stage = Stage::ready().await;
        torn(&stage, moment).await;
        let kept = stage.dir.path().join("kept");
        copy(&stage.app_dir(), &kept);
        card_back(&stage).await;
        if refund {
            stage.person.refund().await.unwrap();
        } else {
            stage.person.resume().await.unwrap();
        }
        stage.slot.remove();
        stage.stop_app();
        copy(&kept, &stage.app_dir());
        stage.restart_app();
        nothing_waits(&stage).await;
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_from_before_a_load_find_it_at_the_bank_with_the_card() {
    let mut stage = Stage::ready().await;
    let kept = stage.dir.path().join("kept");
    copy(&stage.app_dir(), &kept);
    torn(&stage, Moment::After).await;
    stage.stop_app();
    copy(&kept, &stage.app_dir());
    stage.restart_app();
    stage.person.ready().await.unwrap();
    assert_eq!(stage.person.look().pending, vec![]);
    card_back(&stage).await;
    let error = failure(stage.person.top_up(100).await);
    assert_eq!(
        (error.code, error.money),
        (Code::LoadOpen, MoneyPlace::InTransit)
    );
    assert!(error.reference.is_some(), "the bank names what is open");
    stage.person.resume().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 700);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_wrote_is_told_as_unreadable_and_never_guessed_at() {
    let mut stage = Stage::ready().await;
    torn(&stage, Moment::Before).await;
    let file = only_file(&stage);
    let mut later = newest(&file);
    assert_eq!(later["version"], 1);
    later["version"] = 2.into();
    let later = later.to_string();
    std::fs::write(&file, &later).unwrap();
    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert_eq!(
        view.trouble.map(|trouble| trouble.code),
        Some(Code::JournalBad)
    );
    assert_eq!(view.pending, vec![]);
    card_back(&stage).await;
    stage.person.resume().await.unwrap();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        later,
        "kept as it is"
    );
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_release_wrote_is_settled_like_anything_else() {
    for moment in [Moment::Before, Moment::After] {
        let mut stage = Stage::ready().await;
        torn(&stage, moment).await;
        let file = only_file(&stage);
        stage.stop_app();
        in_the_old_form(&file);
        stage.restart_app();
        let view = stage.person.ready().await.unwrap();
        assert_eq!((view.pending.len(), view.trouble), (1, None));
        card_back(&stage).await;
        stage.person.resume().await.unwrap();
        stage.slot.remove();
        assert_eq!(stage.card_balance(), CARD_BEFORE + 700);
        assert_eq!(newest(&file)["state"], "done", "and kept in the new form");
        stage.restart_app();
        assert_eq!(stage.person.ready().await.unwrap().pending, vec![]);
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newest_state_that_was_torn_is_told_as_the_one_before_it() {
    let mut stage = Stage::ready().await;
    torn(&stage, Moment::After).await;
    let file = only_file(&stage);
    assert_eq!(newest(&file)["state"], "writing");
    stage.stop_app();
    let mut bytes = std::fs::read(&file).unwrap();
    let second = bytes.len() / 2;
    bytes[second..second + 600].fill(0);
    std::fs::write(&file, bytes).unwrap();
    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert_eq!((view.pending.len(), view.trouble), (1, None));
    card_back(&stage).await;
    stage.person.resume().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 700);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_of_a_file_leaves_no_load_open_for_ever() {
    let mut stage = Stage::ready().await;
    torn(&stage, Moment::Before).await;
    let file = only_file(&stage);
    std::fs::copy(&file, file.with_file_name("copy of it.json")).unwrap();
    stage.restart_app();
    stage.person.ready().await.unwrap();
    assert_eq!(stage.person.look().pending.len(), 1, "one load");
    card_back(&stage).await;
    stage.person.resume().await.unwrap();
    stage.slot.remove();
    stage.restart_app();
    stage.person.ready().await.unwrap();
    assert_eq!(stage.person.look().pending, vec![]);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_in_the_journal_keeps_nobody_from_starting() {
    let mut stage = Stage::ready().await;
    torn(&stage, Moment::Before).await;
    std::fs::create_dir(stage.app_dir().join("journal").join("a.json")).unwrap();
    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert_eq!(view.pending.len(), 1, "what can be read is there");
    assert_eq!(
        view.trouble.map(|trouble| trouble.code),
        Some(Code::JournalBad)
    );
    card_back(&stage).await;
    stage.person.resume().await.unwrap();
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_the_device_ends_the_warning_of_a_damaged_journal() {
    let mut stage = Stage::ready().await;
    torn(&stage, Moment::Before).await;
    let file = only_file(&stage);
    std::fs::write(&file, "{").unwrap();
    stage.restart_app();
    stage.person.ready().await.unwrap();
    card_back(&stage).await;
    stage.person.resume().await.unwrap();
    stage.person.give(ipc::Command::EraseDevice).await.unwrap();
    assert!(!file.exists(), "nothing of this person is left here");
    assert_eq!(stage.person.look().trouble, None);
    stage.healed().await;
}
