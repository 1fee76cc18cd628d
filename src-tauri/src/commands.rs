use ipc::{AppView, Command, ErrorView, Reply};
use session::Session;
use tauri::State;

/// The newest view, for a page that just opened.
#[tauri::command]
pub(crate) fn app_view(session: State<'_, Session>) -> AppView {
    session.view().borrow().clone()
}

/// One command of the page, answered when it is done.
#[tauri::command]
pub(crate) async fn run(session: State<'_, Session>, command: Command) -> Result<Reply, ErrorView> {
    session.run(command).await
}
