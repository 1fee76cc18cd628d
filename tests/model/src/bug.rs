/// A fault that is put into the model on purpose, to see that a property finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bug {
    /// The bank gives the money back when it has heard nothing for long enough.
    RefundOnSilence,
    /// The bank takes any counter n as a refund's proof, even from an INITIALIZE before the newest MAC2.
    RefundOnOldInitialize,
    /// The bank commits a load first and the reply that carries its MAC2 after it.
    ReplyAfterCommit,
    /// The bank makes a MAC2 and forgets the debit.
    Mac2WithoutDebit,
    /// The bank takes whatever TAC the card proves for the pending load's.
    TacOfAnotherLoad,
    /// The bank lets a load begin while another one of the card is open.
    SecondOpenLoad,
    /// The bank does not compare a card's counter with those that it has seen.
    CounterUnchecked,
    /// The bank's word on a final load is changed by what comes later.
    FinalNotFinal,
    /// The app asks for the proof after a new INITIALIZE.
    ProveAfterInitialize,
    /// The app sends first and writes its journal after it.
    JournalAfterEffect,
    /// The app sends the command again over the handle of a card that went away.
    OldHandle,
    /// The app takes silence for "nothing happened".
    SilenceIsNo,
}
