use ipc::{AppView, Command, ErrorView, Reply};
use session::Session;
use tauri::{AppHandle, State};

/// The newest view, for a page that just opened.
#[tauri::command]
pub(crate) fn app_view(session: State<'_, Session>) -> AppView {
    session.view().borrow().clone()
}

/// One command of the page, answered when it is done.
#[tauri::command]
pub(crate) async fn run(
    app: AppHandle,
    session: State<'_, Session>,
    command: Command,
) -> Result<Reply, ErrorView> {
    let reply = session.run(command).await?;
    within_reach(app, reply).await
}

/// The folder of an app on Android is nobody's but the app's.
#[cfg(target_os = "android")]
async fn within_reach(app: AppHandle, reply: Reply) -> Result<Reply, ErrorView> {
    use crate::exports;
    exports::handed_over(reply, |name, bytes| exports::keep(app, name, bytes)).await
}

#[cfg(target_os = "ios")]
#[expect(clippy::unused_async, reason = "the same shape as on Android")]
async fn within_reach(_: AppHandle, reply: Reply) -> Result<Reply, ErrorView> {
    Ok(crate::exports::as_files_shows_it(reply))
}

#[cfg(desktop)]
#[expect(clippy::unused_async, reason = "the same shape as on Android")]
async fn within_reach(_: AppHandle, reply: Reply) -> Result<Reply, ErrorView> {
    Ok(reply)
}
