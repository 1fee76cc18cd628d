//! Somebody at the app, who does what it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ipc::{
    AppView, Code, Command, ErrorView, Phase, ReaderKind, Reply, Stage, TransactionKind,
    TransactionView,
};
use session::Session;
use tokio::time::{Instant, sleep, timeout};
use virtual_card::Slot;

use crate::network::BankProcess;
use crate::plan::Wrong;
use crate::world::World;

/// How an attempt at something ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ended {
    /// As it should.
    Done(Box<TransactionView>),
    /// With a failure on the screen, which stays there.
    Failed(Box<ErrorView>),
    /// The app refused a command.
    Refused(Code),
    /// The app's process is gone.
    Killed,
    /// Nothing more happens, and nothing says why.
    Hangs(String),
}

pub(crate) struct Person {
    pub(crate) world: Arc<World>,
    pub(crate) session: Session,
    pub(crate) slot: Slot,
    pub(crate) bank: Arc<BankProcess>,
    pub(crate) wrong: Wrong,
    /// Wrong passwords that were submitted, whether the bank's answer came or not.
    pub(crate) mistyped: AtomicU32,
}

/// The bank locks at the third, and no card and no network opens that again.
const MISTYPED: u32 = 2;

/// Longer than the relay's whole deadline and every retry together, simulated.
const PATIENCE: Duration = Duration::from_secs(1_200);
/// After so long without any change people lift a card that could not be read. A slow one takes its time.
const PUZZLED: Duration = Duration::from_secs(90);
pub(crate) const PHONE: &str = "13800006021";
pub(crate) const PASSWORD: &str = "246810";

impl Person {
    pub(crate) fn look(&self) -> AppView {
        self.session.view().borrow().clone()
    }

    /// Waits until the view shows it; puts the card back when the app asks for one.
    pub(crate) async fn until(
        &self,
        what: &str,
        shows: impl Fn(&AppView) -> bool,
    ) -> Result<(), Ended> {
        let mut view = self.session.view();
        let mut unread_since = None;
        let waiting = async {
            loop {
                let (wanted, unread) = {
                    let now = view.borrow_and_update();
                    if shows(&now) {
                        return Ok(());
                    }
                    let wanted = now.reader.state == ReaderKind::Empty && now.transaction.is_some();
                    (wanted, now.transaction.as_ref().is_some_and(unread))
                };
                if wanted {
                    sleep(Duration::from_millis(1_500)).await;
                    self.slot.insert();
                }
                // The view comes anew every few seconds.
                match unread_since {
                    Some(since) if !unread || Instant::now() >= since + PUZZLED => {
                        unread_since = None;
                        if unread {
                            self.slot.remove();
                            sleep(Duration::from_millis(500)).await;
                            self.slot.insert();
                        }
                    }
                    None if unread => unread_since = Some(Instant::now()),
                    Some(_) | None => {}
                }
                view.changed().await.map_err(|_| Ended::Killed)?;
            }
        };
        match timeout(PATIENCE, waiting).await {
            Ok(shown) => shown,
            Err(_) => Err(Ended::Hangs(format!("{what}: {}", seen(&self.look())))),
        }
    }

    pub(crate) async fn give(&self, command: Command) -> Result<Reply, Ended> {
        match timeout(PATIENCE, self.session.run(command.clone())).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) if !self.world.app_lives() => Err(Ended::Killed),
            Ok(Err(error)) => Err(Ended::Refused(error.code)),
            Err(_) if !self.world.app_lives() => Err(Ended::Killed),
            Err(_) => Err(Ended::Hangs(format!("{command:?}"))),
        }
    }

    /// First start done, key there, packages there.
    pub(crate) async fn ready(&self) -> Result<(), Ended> {
        let ready = |view: &AppView| {
            let terminal = view.terminal.as_ref();
            let key = terminal.is_some_and(|terminal| terminal.key_expires_ms.is_some());
            view.phase == Phase::Ready && key && !view.packages.is_empty()
        };
        self.until("a terminal with a key", ready).await
    }

    pub(crate) async fn transact(&self, kind: TransactionKind, amount: u32) -> Ended {
        let steps = async {
            self.give(Command::Begin { kind }).await?;
            match kind {
                TransactionKind::Balance | TransactionKind::Resume => {}
                TransactionKind::Topup => {
                    self.prove_phone().await?;
                    return self.submit_and_end(Some(amount)).await;
                }
                TransactionKind::Activate => return self.submit_and_end(None).await,
            }
            self.end().await
        };
        match steps.await {
            Ok(view) => Ended::Done(Box::new(view)),
            Err(ended) => ended,
        }
    }

    async fn prove_phone(&self) -> Result<(), Ended> {
        let known = |view: &AppView| {
            view.transaction.as_ref().is_some_and(|transaction| {
                transaction.card.is_some() || transaction.stage == Stage::Failed
            })
        };
        self.until("the card", known).await?;
        let mut last = Ended::Refused(Code::Internal);
        for _ in 0..4 {
            match self.code_round().await {
                Ok(()) => return Ok(()),
                Err(Ended::Refused(Code::NotNow)) => return Err(Ended::Refused(Code::NotNow)),
                Err(Ended::Refused(code)) => last = Ended::Refused(code),
                Err(other) => return Err(other),
            }
            // The bank's own pause between two codes.
            sleep(Duration::from_secs(61)).await;
        }
        Err(last)
    }

    async fn code_round(&self) -> Result<(), Ended> {
        let before = self.codes().await.len();
        let phone = PHONE.to_owned();
        self.give(Command::SendCode { phone }).await?;
        let codes = self.codes().await;
        let Some(code) = codes.first().filter(|_| codes.len() > before).cloned() else {
            return Err(Ended::Refused(Code::CodeUnknown));
        };
        if self.wrong.code {
            // One of a million is the right one; then it is a try more.
            let code = "000000".to_owned();
            drop(self.give(Command::VerifyCode { code }).await);
        }
        for tries_left in (0..3).rev() {
            let code = code.clone();
            match self.give(Command::VerifyCode { code }).await {
                Ok(_) => return Ok(()),
                Err(Ended::Refused(Code::Offline | Code::BankSilent)) if tries_left > 0 => {
                    sleep(Duration::from_secs(10)).await;
                }
                Err(other) => return Err(other),
            }
        }
        Err(Ended::Refused(Code::Offline))
    }

    async fn codes(&self) -> Vec<String> {
        let codes = self.bank.with(false, async |bank| bank.codes()).await;
        codes.unwrap_or_default()
    }

    async fn submit_and_end(&self, amount: Option<u32>) -> Result<TransactionView, Ended> {
        if self.wrong.password && self.mistyped.fetch_add(1, Ordering::Relaxed) < MISTYPED {
            self.submit("000000", amount).await?;
            match self.end().await {
                Err(Ended::Failed(error)) if error.code == Code::PasswordWrong => {}
                other => return other,
            }
        }
        self.submit(PASSWORD, amount).await?;
        self.end().await
    }

    async fn submit(&self, password: &str, amount: Option<u32>) -> Result<(), Ended> {
        for digit in password.bytes() {
            let digit = digit.wrapping_sub(b'0');
            self.give(Command::PinPress { digit }).await?;
        }
        self.give(Command::Submit { amount }).await.map(drop)
    }

    /// How the transaction on the screen ends, or stops for something to be typed.
    pub(crate) async fn end(&self) -> Result<TransactionView, Ended> {
        let ended = |view: &AppView| {
            view.transaction.as_ref().is_none_or(|transaction| {
                let over = matches!(transaction.stage, Stage::Done | Stage::Failed);
                let typed = matches!(transaction.stage, Stage::Password | Stage::Phone);
                over || typed && transaction.error.is_some()
            })
        };
        self.until("the end of the transaction", ended).await?;
        let Some(transaction) = self.look().transaction else {
            return Err(Ended::Hangs("no transaction".to_owned()));
        };
        match (transaction.stage, &transaction.error) {
            (Stage::Done, _) => Ok(transaction),
            (_, Some(error)) => Err(Ended::Failed(Box::new(error.clone()))),
            (_, None) => Err(Ended::Hangs(format!("no reason: {:?}", transaction.stage))),
        }
    }
}

/// The card lies there and could not be read: people lift it and put it back.
fn unread(transaction: &TransactionView) -> bool {
    let over = matches!(transaction.stage, Stage::Done | Stage::Failed);
    transaction.error.is_some() && !over && transaction.card.is_none()
}

/// What a person would say of a view.
pub(crate) fn seen(view: &AppView) -> String {
    let mut words = vec![format!("{:?}, reader {:?}", view.phase, view.reader.state)];
    words.push(format!("network {:?}", view.network));
    words.push(format!("{} loads wait", view.pending.len()));
    if let Some(trouble) = &view.trouble {
        words.push(format!("trouble {}", trouble.code.as_str()));
    }
    if let Some(transaction) = &view.transaction {
        words.push(format!(
            "{:?} at {:?}, money {:?}, error {:?}",
            transaction.kind,
            transaction.stage,
            transaction.place,
            transaction.error.as_ref().map(|error| error.code)
        ));
    }
    words.join(", ")
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done(view) => write!(f, "done, money {:?}", view.place),
            Self::Failed(error) => {
                write!(
                    f,
                    "failed: {}, money {:?}",
                    error.code.as_str(),
                    error.money
                )
            }
            Self::Refused(code) => write!(f, "refused: {}", code.as_str()),
            Self::Killed => f.write_str("the app was killed"),
            Self::Hangs(what) => write!(f, "HANGS: {what}"),
        }
    }
}
