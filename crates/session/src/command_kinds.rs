//! What kind of command a command is: whether it needs keys, and what a trace says of it.

use ipc::{Command, TransactionKind};

use crate::trace::TraceEvent;

/// What can't be answered rightly before the keystore has said whether there are keys.
pub(crate) fn needs_keys(command: &Command) -> bool {
    use Command as C;
    match command {
        C::Begin { kind } => *kind != TransactionKind::Balance,
        C::Enrol
        | C::Refund { .. }
        | C::BeginQueue
        | C::OpenQueue { .. }
        | C::AcceptList
        | C::CloseQueue
        | C::SendCode { .. }
        | C::VerifyCode { .. }
        | C::Submit { .. }
        | C::AcceptRequest
        | C::Retry
        | C::RenewKey
        | C::SetLock { .. }
        | C::Unlock
        | C::EraseDevice => true,
        C::PinPress { .. }
        | C::PinDelete
        | C::DropRequest
        | C::PickList
        | C::ChooseIndustry { .. }
        | C::ExportQueue { .. }
        | C::Leave
        | C::ChooseReader { .. }
        | C::DressCard { .. }
        | C::ForgetCard { .. }
        | C::SetLanguage { .. }
        | C::SetTheme { .. }
        | C::SetTextSize { .. }
        | C::SetSound { .. }
        | C::SetTray { .. }
        | C::SetNotices { .. }
        | C::Update
        | C::History
        | C::ExportHistory { .. }
        | C::SaveReceipt { .. }
        | C::ExportTrace
        | C::RunDiagnostics
        | C::Times => false,
    }
}

/// What of a command stands in the trace: no digit of a password, nothing typed. What changes only the looks of the
/// app is left out.
pub(crate) fn traced(command: &Command) -> Option<TraceEvent> {
    let mut kind = None;
    let does = match command {
        Command::Begin { kind: begun } => {
            kind = Some(*begun);
            "begin"
        }
        // What it asked for is of no interest to a replay: the amount is typed, and may be changed.
        Command::AcceptRequest => {
            kind = Some(TransactionKind::Topup);
            "begin"
        }
        Command::Enrol => "enrol",
        Command::SendCode { .. } => "send-code",
        Command::VerifyCode { .. } => "verify-code",
        Command::Submit { .. } => "submit",
        Command::Retry => "retry",
        Command::Leave => "leave",
        Command::Refund { .. } => "refund",
        Command::RenewKey => "renew-key",
        Command::RunDiagnostics => "run-diagnostics",
        Command::Update => "update",
        Command::Unlock => "unlock",
        Command::PinPress { .. }
        | Command::PinDelete
        | Command::ChooseReader { .. }
        | Command::DressCard { .. }
        | Command::ForgetCard { .. }
        | Command::SetLanguage { .. }
        | Command::SetTheme { .. }
        | Command::SetTextSize { .. }
        | Command::SetLock { .. }
        | Command::SetSound { .. }
        | Command::SetTray { .. }
        | Command::SetNotices { .. }
        | Command::DropRequest
        // Its cards are others each time: no replay of it would mean anything.
        | Command::BeginQueue
        | Command::OpenQueue { .. }
        | Command::PickList
        | Command::ChooseIndustry { .. }
        | Command::AcceptList
        | Command::CloseQueue
        | Command::ExportQueue { .. }
        | Command::History
        | Command::ExportHistory { .. }
        | Command::SaveReceipt { .. }
        | Command::ExportTrace
        | Command::Times
        | Command::EraseDevice => return None,
    };
    let does = does.to_owned();
    Some(TraceEvent::Person { does, kind })
}
