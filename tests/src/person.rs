use std::time::Duration;

use bank_client::BankClient;
use ipc::{AppView, Command, ErrorView, Phase, Reply, Stage, TransactionKind, TransactionView};
use serde_json::Value;
use session::Session;

/// What keeps a person from going on.
#[derive(Debug)]
pub enum Trouble {
    /// The app refused a command.
    Refused(ErrorView),
    /// The transaction ended with a failure.
    Failed(ErrorView),
    /// Something that should show never showed; what shows instead.
    Never(&'static str, String),
    /// The inbox has no message.
    NoMessage,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => {
                write!(f, "refused: {} {:?}", error.code.as_str(), error.params)
            }
            Self::Failed(error) => write!(
                f,
                "failed: {} {:?}, money: {:?}",
                error.code.as_str(),
                error.params,
                error.money
            ),
            Self::Never(what, seen) => {
                let seconds = PATIENCE.as_secs();
                write!(f, "not within {seconds} s: {what} ({seen})")
            }
            Self::NoMessage => f.write_str("no SMS in the inbox"),
        }
    }
}

impl std::error::Error for Trouble {}

/// Does what a person does: looks at views, gives commands, reads the SMS.
pub struct Person {
    pub session: Session,
    pub phone: String,
    pub password: String,
    inbox: BankClient,
}

/// How long a person waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a person would say of a view.
fn seen(view: &AppView) -> String {
    let mut words = vec![format!("reader {:?}", view.reader.state)];
    words.push(format!("network {:?}", view.network));
    if let Some(trouble) = &view.trouble {
        words.push(format!("trouble {}", trouble.code.as_str()));
    }
    if let Some(transaction) = &view.transaction {
        words.push(format!("{:?} at {:?}", transaction.kind, transaction.stage));
    }
    words.join(", ")
}

impl Person {
    /// A customer of the bank behind `inbox`.
    pub fn new(session: Session, inbox: BankClient, phone: &str, password: &str) -> Self {
        Self {
            session,
            inbox,
            phone: phone.to_owned(),
            password: password.to_owned(),
        }
    }

    /// The view now.
    pub fn look(&self) -> AppView {
        self.session.view().borrow().clone()
    }

    /// Waits until the view shows it.
    pub async fn until(
        &self,
        what: &'static str,
        shows: impl Fn(&AppView) -> bool,
    ) -> Result<AppView, Trouble> {
        let mut view = self.session.view();
        let wait = tokio::time::timeout(PATIENCE, view.wait_for(|view| shows(view)));
        match wait.await {
            Ok(Ok(view)) => Ok(view.clone()),
            Ok(Err(_)) | Err(_) => Err(Trouble::Never(what, seen(&self.look()))),
        }
    }

    /// First start done, key there, packages there.
    pub async fn ready(&self) -> Result<AppView, Trouble> {
        let ready = |view: &AppView| {
            let key = view
                .terminal
                .as_ref()
                .is_some_and(|t| t.key_expires_ms.is_some());
            view.phase == Phase::Ready && key && !view.packages.is_empty()
        };
        self.until("an enrolled terminal with a working key", ready)
            .await
    }

    /// One command.
    pub async fn give(&self, command: Command) -> Result<Reply, Trouble> {
        self.session.run(command).await.map_err(Trouble::Refused)
    }

    /// Enters a transaction's screen.
    pub async fn begin(&self, kind: TransactionKind) -> Result<(), Trouble> {
        self.give(Command::Begin { kind }).await.map(drop)
    }

    /// Codes in the inbox, newest first.
    pub async fn codes(&self) -> Result<Vec<String>, Trouble> {
        let page = self
            .inbox
            .page("/dev/sms.json")
            .await
            .map_err(|_| Trouble::NoMessage)?;
        let messages: Vec<Value> = serde_json::from_slice(&page).map_err(|_| Trouble::NoMessage)?;
        let code = |message: &Value| {
            message
                .get("code")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        Ok(messages.iter().filter_map(code).collect())
    }

    /// Asks for a code and reads it when it comes.
    pub async fn ask_for_code(&self) -> Result<String, Trouble> {
        // A phone that knows a card asks for it last.
        let asks_last =
            |view: &AppView| !view.purses.is_empty() && view.reader.state == ipc::ReaderKind::Empty;
        self.until("the card", |view| {
            let known = |transaction: &TransactionView| transaction.card.is_some();
            view.transaction.as_ref().is_some_and(known) || asks_last(view)
        })
        .await?;
        let before = self.codes().await?.len();
        self.give(Command::SendCode {
            phone: self.phone.clone(),
        })
        .await?;
        for _ in 0..200 {
            let codes = self.codes().await?;
            if let Some(code) = codes.first().filter(|_| codes.len() > before) {
                return Ok(code.clone());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Trouble::NoMessage)
    }

    /// From the phone number to a verified code.
    pub async fn verify(&self) -> Result<(), Trouble> {
        let code = self.ask_for_code().await?;
        self.give(Command::VerifyCode { code }).await.map(drop)
    }

    /// The password, then go.
    pub async fn submit(&self, password: &str, amount: Option<u32>) -> Result<(), Trouble> {
        for digit in password.bytes() {
            self.give(Command::PinPress {
                digit: digit.wrapping_sub(b'0'),
            })
            .await?;
        }
        self.give(Command::Submit { amount }).await.map(drop)
    }

    /// How the transaction on the screen ends, or stops for something to be typed.
    pub async fn end(&self) -> Result<TransactionView, Trouble> {
        let ended = |view: &AppView| {
            view.transaction.as_ref().is_some_and(|transaction| {
                let over = matches!(transaction.stage, Stage::Done | Stage::Failed);
                let again = transaction.stage == Stage::Password && transaction.error.is_some();
                over || again
            })
        };
        let view = self.until("the end of the transaction", ended).await?;
        let Some(transaction) = view.transaction else {
            return Err(Trouble::Never("a transaction", String::new()));
        };
        match (&transaction.stage, &transaction.error) {
            (Stage::Done, _) => Ok(transaction),
            (_, Some(error)) => Err(Trouble::Failed(error.clone())),
            (_, None) => Err(Trouble::Never("a reason", format!("{transaction:?}"))),
        }
    }

    /// Balance from entering to reading.
    pub async fn balance(&self) -> Result<TransactionView, Trouble> {
        self.begin(TransactionKind::Balance).await?;
        self.end().await
    }

    /// A whole top-up, `amount` in fen.
    pub async fn top_up(&self, amount: u32) -> Result<TransactionView, Trouble> {
        self.begin(TransactionKind::Topup).await?;
        self.verify().await?;
        self.submit(&self.password, Some(amount)).await?;
        self.end().await
    }

    /// A whole re-top-up.
    pub async fn resume(&self) -> Result<TransactionView, Trouble> {
        self.begin(TransactionKind::Resume).await?;
        self.end().await
    }

    /// A whole re-top-up that asks for the money back.
    pub async fn refund(&self) -> Result<TransactionView, Trouble> {
        self.give(Command::Refund { load: None }).await?;
        self.end().await
    }

    /// A whole activation.
    pub async fn activate(&self) -> Result<TransactionView, Trouble> {
        self.begin(TransactionKind::Activate).await?;
        self.submit(&self.password, None).await?;
        self.end().await
    }
}
