//! What reaches the app from the system around it: a link, and what the window is about.

use ipc::{Code, DeskView, MoneyPlace, Reply, RequestView, TransactionKind, UpdateView};
use topup_link::TopupLink;

use crate::actor::Actor;
use crate::failure::Failure;
use crate::notices::Errand;
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
            Outside::NotUpdated => {
                if let Some(update) = &mut self.update {
                    update.running = false;
                    let error = Failure::from(Code::UpdateFailed);
                    update.error = Some(error.view(MoneyPlace::None));
                }
            }
        }
    }

    /// A link begins nothing. It is kept until the person has seen it; a newer one takes its place.
    fn link_came(&mut self, link: &str) {
        let busy = self.transaction.as_ref().is_some_and(Transaction::is_open);
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
        if self.transaction.as_ref().is_some_and(Transaction::is_open) {
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
        let open = self.transaction.as_ref().is_some_and(Transaction::is_open);
        let free = !open && self.runs == 0;
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
