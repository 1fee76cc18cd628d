//! The file that reconciles a list, in the language of the screen.

use std::path::Path;

use ipc::Language;
use roster::{Item, ReportWords};

use crate::disk::DiskError;
use crate::export;

const ZH_CN: ReportWords = ReportWords {
    heads: ["姓名", "卡尾号", "金额(元)", "状态", "凭证号", "时间(UTC)"],
    states: ["待充值", "未了结", "已充值", "已退回账户", "银行结案"],
    paid: "已付款",
};

const ZH_TW: ReportWords = ReportWords {
    heads: [
        "姓名",
        "卡片末四碼",
        "金額(元)",
        "狀態",
        "收據編號",
        "時間(UTC)",
    ],
    states: ["待加值", "未結清", "已加值", "已退回帳戶", "銀行結案"],
    paid: "已付款",
};

const EN: ReportWords = ReportWords {
    heads: [
        "name",
        "card tail",
        "amount (CNY)",
        "state",
        "reference",
        "time (UTC)",
    ],
    states: [
        "waiting",
        "unsettled",
        "loaded",
        "returned to the account",
        "closed by the bank",
    ],
    paid: "paid",
};

/// Writes `tapfill-list-ID.csv` into `folder` and returns its path; `id` is the beginning of the list's own.
pub(super) fn write(
    folder: &Path,
    id: &str,
    items: &[Item],
    language: Language,
) -> Result<String, DiskError> {
    let words = match language {
        Language::ZhCn => &ZH_CN,
        Language::ZhTw => &ZH_TW,
        Language::En | Language::System => &EN,
    };
    std::fs::create_dir_all(folder)?;
    let short = id.get(..8).unwrap_or(id);
    let path = folder.join(format!("tapfill-list-{short}.csv"));
    std::fs::write(&path, roster::report(items, words, export::time))?;
    Ok(path.display().to_string())
}
