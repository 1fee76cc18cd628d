//! The history as a CSV file for people and their spreadsheets.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use ipc::{HistoryEntry, HistoryState, Language, MoneyPlace, TransactionKind};

use crate::disk::DiskError;

/// Writes `tapfill-history.csv` into `folder`, or `tapfill-history-2.csv` and so on where one is, and returns its path:
/// somebody may have gone on with the earlier one. UTF-8 with a byte order mark: spreadsheets would take Chinese for
/// something else without it.
pub(crate) fn write(
    folder: &Path,
    entries: &[HistoryEntry],
    language: Language,
) -> Result<String, DiskError> {
    std::fs::create_dir_all(folder)?;
    let (path, mut file) = new_file(folder)?;
    let written = file.write_all(csv(entries, words(language)).as_bytes());
    if written.is_err() {
        // Half a table is none; the error that is told is the first.
        let _removed = std::fs::remove_file(&path);
    }
    written?;
    Ok(path.display().to_string())
}

/// The first name that nobody has taken.
fn new_file(folder: &Path) -> std::io::Result<(PathBuf, File)> {
    let mut number = 1_u32;
    loop {
        let path = folder.join(match number {
            1 => "tapfill-history.csv".to_owned(),
            later => format!("tapfill-history-{later}.csv"),
        });
        match File::create_new(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            made => return made.map(|file| (path, file)),
        }
    }
}

/// What a PNG file begins with.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// A receipt of two screens at twice their size stays far below.
const PICTURE_MAX: usize = 2_000_000;
/// `TF-7K2M-91QX` and a little more.
const REFERENCE_MAX: usize = 24;

/// The name of a receipt's picture; nothing when it is no picture or its reference could leave the folder.
pub(crate) fn picture_name(reference: Option<&str>, png: &[u8]) -> Option<String> {
    let reference = reference.unwrap_or("receipt");
    let plain = reference
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let good = plain
        && (1..=REFERENCE_MAX).contains(&reference.len())
        && png.len() <= PICTURE_MAX
        && png.starts_with(PNG);
    good.then(|| format!("tapfill-{reference}.png"))
}

/// Writes a picture into `folder` and returns its path.
pub(crate) fn picture(folder: &Path, name: &str, png: &[u8]) -> Result<String, DiskError> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(name);
    std::fs::write(&path, png)?;
    Ok(path.display().to_string())
}

/// The words of one language, each list in the order of its enum.
struct Words {
    head: &'static str,
    kinds: [&'static str; 4],
    states: [&'static str; 3],
    places: [&'static str; 6],
}

const ZH_CN: Words = Words {
    head: "时间(UTC),类型,状态,金额(元),充值后余额(元),卡尾号,凭证号,钱在哪里",
    kinds: ["查余额", "充值", "完成未到账充值", "激活"],
    states: ["已完成", "待完成", "没成功"],
    places: [
        "账户",
        "待核对",
        "银行保管",
        "卡上,待通知银行",
        "卡上",
        "银行结案",
    ],
};

const ZH_TW: Words = Words {
    head: "時間(UTC),類型,狀態,金額(元),加值後餘額(元),卡片末四碼,收據編號,錢在哪裡",
    kinds: ["查餘額", "加值", "完成未入卡加值", "開卡"],
    states: ["已完成", "待完成", "未成功"],
    places: [
        "帳戶",
        "待核對",
        "銀行保管",
        "卡片上,待通知銀行",
        "卡片上",
        "銀行結案",
    ],
};

const EN: Words = Words {
    head: "time (UTC),kind,state,amount (CNY),balance after (CNY),card tail,reference,where the money is",
    kinds: ["balance", "top-up", "top-up finished later", "activation"],
    states: ["done", "unfinished", "not done"],
    places: [
        "account",
        "being checked",
        "held by the bank",
        "on the card, bank not told yet",
        "on the card",
        "closed by the bank",
    ],
};

/// The page names the language that it shows, so `System` comes from no person.
const fn words(language: Language) -> &'static Words {
    match language {
        Language::ZhCn => &ZH_CN,
        Language::ZhTw => &ZH_TW,
        Language::En | Language::System => &EN,
    }
}

fn csv(entries: &[HistoryEntry], words: &Words) -> String {
    let mut text = String::from("\u{feff}");
    text.push_str(words.head);
    text.push_str("\r\n");
    for entry in entries {
        let receipt = &entry.receipt;
        let _ = write!(
            text,
            "{},{},{},{},{},{},{},\"{}\"\r\n",
            time(entry.started_ms),
            kind(entry.kind, words),
            state(entry.state, words),
            yuan(receipt.amount),
            yuan(receipt.new_balance),
            receipt.tail,
            receipt.reference.as_deref().unwrap_or_default(),
            place(receipt.place, words),
        );
    }
    text
}

pub(crate) fn time(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}

fn yuan(fen: Option<u32>) -> String {
    fen.map(|fen| format!("{}.{:02}", fen / 100, fen % 100))
        .unwrap_or_default()
}

const fn kind(kind: TransactionKind, words: &Words) -> &'static str {
    let [balance, topup, resume, activate] = words.kinds;
    match kind {
        TransactionKind::Balance => balance,
        TransactionKind::Topup => topup,
        TransactionKind::Resume => resume,
        TransactionKind::Activate => activate,
    }
}

const fn state(state: HistoryState, words: &Words) -> &'static str {
    let [done, unfinished, not_done] = words.states;
    match state {
        HistoryState::Done => done,
        HistoryState::Unfinished => unfinished,
        HistoryState::NotDone => not_done,
    }
}

const fn place(place: MoneyPlace, words: &Words) -> &'static str {
    let [
        account,
        unsure,
        in_transit,
        unreported,
        on_card,
        written_off,
    ] = words.places;
    match place {
        MoneyPlace::Account => account,
        MoneyPlace::Unsure => unsure,
        MoneyPlace::InTransit => in_transit,
        MoneyPlace::OnCardUnreported => unreported,
        MoneyPlace::OnCard => on_card,
        MoneyPlace::WrittenOff => written_off,
        MoneyPlace::None => "",
    }
}

#[cfg(test)]
mod tests {
    use ipc::ReceiptView;

    use super::*;

    fn entry() -> HistoryEntry {
        HistoryEntry {
            id: "0".repeat(32),
            kind: TransactionKind::Topup,
            started_ms: 1_795_762_800_000,
            state: HistoryState::Unfinished,
            receipt: ReceiptView {
                amount: Some(5_000),
                old_balance: None,
                new_balance: None,
                tail: "4471".to_owned(),
                time_ms: 1_795_762_800_000,
                reference: Some("TF-7K2M-91QX".to_owned()),
                proof: None,
                place: MoneyPlace::OnCardUnreported,
            },
            error: None,
        }
    }

    #[test]
    fn a_picture_stays_in_its_folder_and_is_one() {
        let png = [PNG, b"rest"].concat();
        assert_eq!(
            picture_name(Some("TF-7K2M-91QX"), &png).as_deref(),
            Some("tapfill-TF-7K2M-91QX.png")
        );
        for bad in ["../x", "a/b", "", "a.b", "0123456789012345678901234"] {
            assert_eq!(picture_name(Some(bad), &png), None, "{bad:?} as a name");
        }
        assert_eq!(picture_name(None, b"MZ"), None, "a program is no picture");
        let large = [PNG, &vec![0; PICTURE_MAX]].concat();
        assert_eq!(picture_name(None, &large), None, "no disk is filled");
    }

    #[test]
    fn an_earlier_table_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let export = || write(folder.path(), &[entry()], Language::En).unwrap();
        let first = export();
        std::fs::write(&first, "gone on with").unwrap();
        let names = [export(), export()].map(|path| path.rsplit('/').next().unwrap().to_owned());
        assert_eq!(names, ["tapfill-history-2.csv", "tapfill-history-3.csv"]);
        assert_eq!(std::fs::read_to_string(first).unwrap(), "gone on with");
    }

    #[test]
    fn each_language_has_its_words_and_as_many_fields_as_headings() {
        for (language, word) in [
            (Language::ZhCn, "充值"),
            (Language::ZhTw, "加值"),
            (Language::En, "top-up"),
        ] {
            let text = csv(&[entry()], words(language));
            let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
            assert!(lines[1].contains(word), "{language:?}: {text}");
            let place = lines[1].find('"').unwrap();
            let fields = lines[1][..place].matches(',').count();
            assert_eq!(
                fields,
                lines[0].matches(',').count(),
                "a comma in a word is quoted: {text}"
            );
        }
    }
}
