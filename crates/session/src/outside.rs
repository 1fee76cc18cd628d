//! What reaches the app from the system around it: a link, and what the window is about.

use ipc::{Code, DeskView, MoneyPlace, Reply, RequestView, TransactionKind, UpdateView};
use topup_link::TopupLink;
use zeroize::Zeroizing;

use crate::actor::Actor;
use crate::failure::Failure;
use crate::notices::Errand;
use crate::queue::Screen;
use crate::transaction::Transaction;

/// What the shell tells the session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outside {
    /// The system opens this link with the app. Whoever made it is unknown.
    Link(String),
    /// The window went out of sight, or came back.
    Hidden(bool),
    /// What the desktop can do; told again when that changes.
    Desk(DeskView),
    /// The publisher offers this version.
    Offered(String),
    /// The version was not installed.
    NotUpdated,
    /// What came of [`Errand::PickList`].
    List(Chosen),
}

/// What a person chose in the system's dialog.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Chosen {
    /// Nothing: the dialog was closed.
    Nothing,
    /// This file.
    File(ListFile),
    /// A file that can't be read, or is far too large.
    Unreadable,
}

/// A file with its name. It may hold card numbers.
#[derive(Clone, Eq, PartialEq)]
pub struct ListFile {
    /// Without folders.
    pub name: String,
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Shows nothing of its content.
impl std::fmt::Debug for ListFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ListFile({} bytes)", self.bytes.len())
    }
}

/// What a link asks for, or why it is refused.
pub(crate) struct Request(Result<TopupLink, Code>);

impl Request {
    pub(crate) fn view(&self) -> RequestView {
        let refused = |code: &Code| Failure::from(*code).view(MoneyPlace::None);
        RequestView {
            amount: self.0.as_ref().ok().and_then(|link| link.amount),
            error: self.0.as_ref().err().map(refused),
        }
    }
}

impl Actor {
    pub(crate) fn outside(&mut self, outside: Outside) {
        match outside {
            Outside::Link(link) => self.link_came(&link),
            Outside::Hidden(hidden) => self.hidden = hidden,
            Outside::Desk(desk) => self.desk = Some(desk),
            Outside::Offered(version) => {
                self.update = Some(UpdateView {
                    version,
                    running: false,
                    error: None,
                });
            }
            Outside::List(chosen) => self.list_chosen(chosen),
            Outside::NotUpdated => {
                if let Some(update) = &mut self.update {
                    update.running = false;
                    let error = Failure::from(Code::UpdateFailed);
                    update.error = Some(error.view(MoneyPlace::None));
                }
            }
        }
    }

    /// Something is on the screen that must not be lost.
    fn is_busy(&self) -> bool {
        let typed = self.transaction.as_ref().is_some_and(Transaction::is_open);
        typed || self.queues.screen.as_ref().is_some_and(Screen::is_open)
    }

    /// A link begins nothing. It is kept until the person has seen it; a newer one takes its place.
    fn link_came(&mut self, link: &str) {
        let busy = self.is_busy();
        let asked = TopupLink::parse(link).map_err(|error| {
            log::warn!("a link is refused: {error}");
            Code::LinkBad
        });
        self.request = Some(Request(if busy { Err(Code::LinkBusy) } else { asked }));
    }

    /// The person goes on: from here it is a top-up like any other, with the amount typed for them.
    pub(crate) fn accept_request(&mut self) -> Result<Reply, Failure> {
        let asked = self.request.as_ref().and_then(|request| request.0.ok());
        let asked = asked.ok_or(Code::NotNow)?;
        if self.is_busy() {
            return Err(Code::NotNow.into());
        }
        let reply = self.begin(TransactionKind::Topup, false)?;
        if let Some(transaction) = &mut self.transaction {
            transaction.asked = asked.amount;
        }
        Ok(reply)
    }

    /// The app ends for it: never under a card, nor under a person who is typing.
    pub(crate) fn install_update(&mut self) -> Result<Reply, Failure> {
        let free = !self.is_busy() && self.runs == 0;
        let offered = |update: &&mut UpdateView| free && !update.running;
        let update = self.update.as_mut().filter(offered).ok_or(Code::NotNow)?;
        (update.running, update.error) = (true, None);
        // Nobody there to do it: then nobody has offered it either.
        let _ = self.errands.send(Errand::Update);
        Ok(Reply::Done)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same shape as all commands")]
    pub(crate) fn drop_request(&mut self) -> Result<Reply, Failure> {
        self.request = None;
        Ok(Reply::Done)
    }
}
