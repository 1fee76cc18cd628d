//! The operators' page over plain HTTP, as a browser and as somebody who is none uses it.

use std::net::SocketAddr;

use bank::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use crate::card::Card;
use crate::core_host::{ACCOUNT, CoreHost, Fault};
use crate::hosted_stage::{AMOUNT, close, top_up, until_repeated};
use crate::stage::{PHONE, Stage};
use crate::terminal::outcome;

pub(crate) const SECRET: &str = "a long enough one";

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines();
        let mut found = lines.filter_map(|line| line.split_once(": "));
        found.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
    }
}

async fn sent(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// A browser with one cookie, in English.
pub(crate) struct Browser {
    address: SocketAddr,
    cookie: String,
}

impl Browser {
    fn new(stage: &Stage) -> Self {
        Self {
            address: stage.bank.console_addr.unwrap(),
            cookie: String::new(),
        }
    }

    pub(crate) async fn signed_in(stage: &Stage, name: &str) -> Self {
        let mut browser = Self::new(stage);
        let form = format!("name={name}&password={}", SECRET.replace(' ', "+"));
        let answer = browser.post("/sign-in", &form).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let set = answer.header("set-cookie").unwrap();
        assert!(
            set.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
            "{set}"
        );
        browser.cookie = set.split(';').next().unwrap().to_owned();
        browser
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "").await
    }

    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        let origin = format!("Origin: http://{}\r\n", self.address);
        self.ask("POST", path, &origin, form).await
    }

    async fn ask(&self, method: &str, path: &str, more: &str, form: &str) -> Answer {
        let Self { address, cookie } = self;
        let length = form.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Language: en\r\nCookie: {cookie}\r\n{more}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{form}"
        );
        sent(*address, &request).await
    }

    /// The token that this session's forms have.
    pub(crate) async fn csrf(&self) -> String {
        let page = self.get("/").await.body;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    async fn act(&self, reference: &str, end: &str, evidence: &str) -> Answer {
        let (csrf, password) = (self.csrf().await, SECRET.replace(' ', "+"));
        let form = format!("csrf={csrf}&as={end}&evidence={evidence}&password={password}");
        self.post(&format!("/loads/{reference}"), &form).await
    }
}

async fn staffed() -> Stage {
    staffed_with(|text| text).await
}

async fn staffed_with(change: impl Fn(String) -> String) -> Stage {
    let with = |text: String| text.replacen("[bank]\n", "[bank]\nconsole = \"127.0.0.1:0\"\n", 1);
    let stage = Stage::with(|text| change(with(text))).await;
    for (name, role) in [("chen", None), ("wang", None), ("lin", Some(Role::Viewer))] {
        let password = Zeroizing::new(SECRET.to_owned());
        bank::keep_operator_as(stage.config(), name, &password, role)
            .await
            .unwrap();
    }
    stage
}

const PAGES: [&str; 10] = [
    "/",
    "/figures",
    "/loads",
    "/queues",
    "/days",
    "/days/2026-11-23",
    "/terminals",
    "/packages",
    "/sms",
    "/checks",
];

#[tokio::test]
async fn nobody_sees_anything_without_signing_in() {
    let stage = staffed().await;
    let mut browser = Browser::new(&stage);
    for path in PAGES {
        for cookie in ["", "tapfill-console=0011", "tapfill-console="] {
            browser.cookie = cookie.to_owned();
            let answer = browser.get(path).await;
            assert_eq!(
                (answer.status, answer.header("location")),
                (303, Some("/sign-in")),
                "{path}"
            );
        }
    }
    let answer = browser
        .post("/sign-in", "name=chen&password=wrong+one+it+is")
        .await;
    assert_eq!(answer.status, 403);
    assert!(answer.header("set-cookie").is_none(), "{}", answer.head);
    let unknown = browser
        .post("/sign-in", "name=nobody&password=wrong+one+it+is")
        .await;
    assert_eq!(
        unknown.body, answer.body,
        "a name that is none looks the same"
    );
    for _ in 0..2 {
        browser
            .post("/sign-in", "name=chen&password=wrong+one+it+is")
            .await;
    }
    let form = format!("name=chen&password={}", SECRET.replace(' ', "+"));
    let locked = browser.post("/sign-in", &form).await;
    assert_eq!(locked.status, 403, "three wrong passwords lock");
    assert!(
        locked.body.contains("A new password ends the lock"),
        "{}",
        locked.body
    );
    stage.close(0).await;
}

#[tokio::test]
async fn every_page_keeps_strangers_scripts_and_frames_out_and_shows_no_number() {
    let stage = staffed().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let done = terminal.top_up(&stage, &mut card, 5_000).await;
    assert_eq!(outcome(&done), "ok");
    let reference = stage.references().await[0].clone();
    let browser = Browser::signed_in(&stage, "lin").await;
    let serial = hex::encode(card.serial);
    let one = format!("/loads/{reference}");
    for path in PAGES.into_iter().chain([one.as_str()]) {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(
            !answer.body.contains("style=") && !answer.body.contains("<script>"),
            "{path}"
        );
        for number in [PHONE, &serial, &serial[4..], "6217000000004471", "246810"] {
            assert!(!answer.body.contains(number), "{number} is on {path}");
        }
    }
    assert!(
        browser
            .get("/loads?find=4471")
            .await
            .body
            .contains(&reference)
    );
    assert!(
        !browser
            .get("/loads?find=8826")
            .await
            .body
            .contains(&reference)
    );
    assert!(
        browser
            .get(&format!("/loads?find={reference}"))
            .await
            .body
            .contains("¥50.00")
    );
    let timeline = browser.get(&one).await.body;
    for told in [
        "debit ¥50.00",
        "the card said counter 7",
        "the card&#39;s TAC",
        "on the card",
    ] {
        let plain = timeline.replace("&#39;", "'");
        let told = told.replace("&#39;", "'");
        assert!(plain.contains(&told), "{told}\n{plain}");
    }
    assert!(
        browser
            .get("/terminals")
            .await
            .body
            .contains(&terminal.enrolled.terminal.to_string())
    );
    assert!(
        browser
            .get("/checks")
            .await
            .body
            .contains("Every rule holds")
    );
    let file = browser.get("/days/2026-11-23/file").await;
    assert_eq!(file.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(file.body.contains("sha256,"), "{}", file.body);
    assert_eq!(browser.get("/nothing").await.status, 404);
    assert_eq!(browser.get("/loads/TF-0000-0000").await.status, 404);
    stage.close(5_000).await;
}

#[tokio::test]
async fn two_operators_decide_at_the_console_and_a_viewer_does_not() {
    let stage = staffed().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.issued(&stage, &mut card, 5_000).await;
    let reference = stage.references().await[0].clone();
    let chen = Browser::signed_in(&stage, "chen").await;
    let wang = Browser::signed_in(&stage, "wang").await;
    let lin = Browser::signed_in(&stage, "lin").await;
    let page = format!("/loads/{reference}");
    assert!(
        !lin.get(&page).await.body.contains("name=\"as\""),
        "no form for who may only look"
    );
    let refused = lin.act(&reference, "lost-card", "seen").await;
    assert_eq!(refused.status, 409);
    assert!(
        refused.body.contains("You may look, not decide"),
        "{}",
        refused.body
    );
    let taken = chen
        .act(&reference, "lost-card", "holder+reported+it")
        .await;
    assert!(
        taken.body.contains("waits for two operators now"),
        "{}",
        taken.body
    );
    let number = chen
        .act(&reference, "refund", "card+6217000000004471")
        .await;
    assert!(
        number.body.contains("the last four digits are enough"),
        "{}",
        number.body
    );
    let first = chen.act(&reference, "refund", "card+seen+%3Cb%3E").await;
    assert!(
        first
            .body
            .contains("A different operator has to propose the same"),
        "{}",
        first.body
    );
    let again = chen.act(&reference, "refund", "card+seen").await;
    assert_eq!(again.status, 409, "{}", again.body);
    assert!(
        wang.get(&page).await.body.contains("card seen &lt;b&gt;"),
        "evidence is text"
    );
    let other = wang.act(&reference, "loaded", "card+seen").await;
    assert!(
        other.body.contains("nothing moves before two agree"),
        "{}",
        other.body
    );
    let second = wang.act(&reference, "refund", "card+seen").await;
    assert!(second.body.contains("carried out"), "{}", second.body);
    assert_eq!(stage.phases().await, ["reversed"]);
    assert!(
        wang.get(&page).await.body.contains("two operators"),
        "what it was settled by"
    );
    stage.close(0).await;
}

#[tokio::test]
async fn a_form_of_somebody_elses_page_does_nothing() {
    let stage = staffed().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.issued(&stage, &mut card, 5_000).await;
    let reference = stage.references().await[0].clone();
    let chen = Browser::signed_in(&stage, "chen").await;
    let wang = Browser::signed_in(&stage, "wang").await;
    let (page, password) = (format!("/loads/{reference}"), SECRET.replace(' ', "+"));
    let form = |csrf: &str| format!("csrf={csrf}&as=lost-card&evidence=seen&password={password}");
    let (own, others) = (form(&chen.csrf().await), form(&wang.csrf().await));
    assert_eq!(
        chen.post(&page, &others).await.status,
        403,
        "of another session"
    );
    assert_eq!(chen.post(&page, &form("")).await.status, 403, "without any");
    for more in [
        "Origin: https://elsewhere.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        assert_eq!(
            chen.ask("POST", &page, more, &own).await.status,
            403,
            "{more}"
        );
    }
    let rebound = format!(
        "GET / HTTP/1.1\r\nHost: elsewhere.example\r\nCookie: {}\r\nConnection: close\r\n\r\n",
        chen.cookie
    );
    assert_eq!(
        sent(chen.address, &rebound).await.status,
        421,
        "a name that is none of ours"
    );
    let long = format!("{own}&more={}", "x".repeat(20_000));
    assert_eq!(chen.post(&page, &long).await.status, 413);
    assert_eq!(
        stage.phases().await,
        ["issued"],
        "none of them did anything"
    );
    assert_eq!(chen.post(&page, &own).await.status, 200);
    stage.close(0).await;
}

#[tokio::test]
async fn a_session_ends_by_sign_out_by_time_and_with_its_operator() {
    let stage = staffed().await;
    let chen = Browser::signed_in(&stage, "chen").await;
    let out = chen
        .post("/sign-out", &format!("csrf={}", chen.csrf().await))
        .await;
    assert_eq!(out.status, 303);
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(
        chen.get("/").await.status,
        303,
        "the old cookie is worth nothing"
    );
    let wang = Browser::signed_in(&stage, "wang").await;
    bank::remove_operator(stage.config(), "wang").await.unwrap();
    assert_eq!(wang.get("/").await.status, 303, "removed is out");
    let lin = Browser::signed_in(&stage, "lin").await;
    stage.clock.advance(14 * 60_000);
    assert_eq!(lin.get("/").await.status, 200);
    stage.clock.advance(15 * 60_000);
    assert_eq!(
        lin.get("/").await.status,
        303,
        "a quarter of an hour without a word"
    );
    let safe = lin.get("/language?to=en&back=//elsewhere.example/").await;
    assert_eq!(
        safe.header("location"),
        Some("/"),
        "back to a page of ours alone"
    );
    stage.close(0).await;
}

/// The text of the element with this `data-testid`, without its tags.
#[track_caller]
fn told(page: &str, name: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("data-testid=\"{name}\">"))
        .unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn what_waits_at_a_core_banking_host_is_on_todays_page_and_on_the_loads() {
    let host = CoreHost::start().await;
    let stage = staffed_with(|text| host.configured(&text)).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let done = top_up(&stage, &mut terminal, &mut card).await;
    assert_eq!(outcome(&done), "ok");
    let browser = Browser::signed_in(&stage, "lin").await;
    let page = browser.get("/figures").await.body;
    assert_eq!(told(&page, "core-line"), "signed on");
    assert_eq!(told(&page, "core-owed"), "¥0.00");
    assert!(!page.contains("core-waiting"), "nothing waits");
    let first = stage.references().await[0].clone();
    let page = browser.get(&format!("/loads/{first}")).await.body;
    assert_eq!(told(&page, "core-state"), "booked");
    assert_eq!(told(&page, "core-response"), "00 approved");

    stage.clock.advance(61_000);
    host.fail(&[Fault::Refused("96")]);
    host.fail_reversals(&[Fault::Refused("91")]);
    let doubtful = top_up(&stage, &mut terminal, &mut card).await;
    assert_eq!(outcome(&doubtful), "in-doubt");
    let reference = doubtful.body.reference.as_deref().unwrap();
    let one = format!("/loads/{reference}");
    let mut page = browser.get(&one).await.body;
    for _ in 0..200 {
        if page.contains("core-reversal-response\">91") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        page = browser.get(&one).await.body;
    }
    assert_eq!(told(&page, "core-state"), "a reversal is owed");
    assert_eq!(told(&page, "core-response"), "96");
    assert_eq!(told(&page, "core-reversals"), "1");
    stage.clock.advance(4_000);
    let page = browser.get("/").await.body;
    assert_eq!(told(&page, "core-owed"), "¥50.00");
    assert!(page.contains("1, the oldest 0 min"), "{page}");
    let (_, table) = page.split_once("core-waiting").unwrap();
    for part in [reference, "a reversal is owed", "96", "91"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(!page.contains(ACCOUNT), "no account is on any page");

    until_repeated(&stage, &host, 1).await;
    close(stage, host, AMOUNT.into()).await;
}
