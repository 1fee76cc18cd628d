//! The page that a receipt's QR code leads to: whether the bank's signature is on it, and what it says.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use envelope::package::signer_public;
use envelope::receipt::Receipt;

use crate::bank::Bank;
use crate::http::{escaped, respond};

const HEAD: &str = r#"<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>随手充 · Tapfill</title><style>
:root{color-scheme:light dark;font:17px/1.6 system-ui,"PingFang SC","Noto Sans CJK SC",sans-serif}
body{max-width:30rem;margin:3rem auto;padding:0 1.25rem}h1{font-size:1.4rem;margin:0 0 .25rem}
p{margin:.25rem 0 1.5rem}dl{display:grid;grid-template-columns:auto 1fr;gap:.5rem 1rem;margin:0}
dt{opacity:.75}dd{margin:0;text-align:end;font-variant-numeric:tabular-nums}
.good{color:light-dark(#0b6b4f,#5fd0a8)}.bad{color:light-dark(#a3271f,#ff9d94)}</style></head><body>"#;

pub(crate) fn routes() -> Router<Arc<Bank>> {
    Router::new().route("/receipt", get(page))
}

/// Asks no store: the signature says all, and says nothing of anybody's account.
async fn page(State(bank): State<Arc<Bank>>, RawQuery(query): RawQuery) -> Response {
    let signer = signer_public(&bank.receipt_secret);
    let opened = Receipt::open(&signer, &query.unwrap_or_default());
    let (status, body) = match opened {
        Ok(receipt) => (200, good(&bank.settings.bank.name, &receipt)),
        Err(_) => (404, bad(&bank.settings.bank.name)),
    };
    let html = format!("{HEAD}{body}</body></html>");
    respond(status, "text/html; charset=utf-8", html.into_bytes(), None)
}

fn good(bank: &str, receipt: &Receipt) -> String {
    let bank = escaped(bank);
    let row = |name: &str, value: &str| format!("<dt>{name}</dt><dd>{}</dd>", escaped(value));
    let rows = [
        row("充值 · Topped up", &yuan(receipt.amount)),
        row("卡尾号 · Card ending in", &receipt.tail),
        row("原余额 · Balance before", &yuan(receipt.old_balance)),
        row("新余额 · Balance after", &yuan(receipt.new_balance)),
        row("时间 · Time", &time(receipt.time_ms)),
        row("编号 · Reference", &receipt.reference),
    ];
    format!(
        "<h1 class=\"good\">✓ 凭证属实 · This receipt is genuine</h1><p>{bank} 签名 · Signed by {bank}</p><dl>{}</dl>",
        rows.concat()
    )
}

fn bad(bank: &str) -> String {
    let bank = escaped(bank);
    format!(
        "<h1 class=\"bad\">✗ 不是 {bank} 的凭证 · Not a receipt of {bank}</h1>\
         <p>内容被改动过，或二维码没有扫全。 · It was changed, or the code was not read whole.</p>"
    )
}

fn yuan(fen: u32) -> String {
    format!("¥{}.{:02}", fen / 100, fen % 100)
}

/// `2026-11-23 18:00`, China's time, as the receipt on the screen there.
fn time(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    let china = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    at.to_zoned(china)
        .strftime("%Y-%m-%d %H:%M UTC+8")
        .to_string()
}
