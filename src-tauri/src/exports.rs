//! Files that the person keeps, on phones: there nobody reaches the folder of an app, unless the app does something
//! about it.

use std::path::Path;

use ipc::Reply;
#[cfg(any(target_os = "android", test))]
use ipc::{Code, ErrorView, MoneyPlace, Retry};

/// What came of asking where a file is to go.
#[cfg(any(target_os = "android", test))]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kept {
    There,
    /// Closed without an answer, which is no failure.
    Nowhere,
    Failed,
}

/// An export goes from the app's own folder to where the person wants it, and nothing of it stays here. Every other
/// answer is passed on.
#[cfg(any(target_os = "android", test))]
pub(crate) async fn handed_over<F: Future<Output = Kept>>(
    reply: Reply,
    keep: impl FnOnce(String, Vec<u8>) -> F,
) -> Result<Reply, ErrorView> {
    let Reply::Exported { path } = reply else {
        return Ok(reply);
    };
    let made = Path::new(&path);
    let name = name_of(made);
    let bytes = std::fs::read(made);
    if let Err(error) = std::fs::remove_file(made) {
        log::warn!("an export stays in the app's folder: {}", error.kind());
    }
    let Ok(bytes) = bytes else {
        return Err(failed());
    };
    match keep(name.clone(), bytes).await {
        Kept::There => Ok(Reply::Exported { path: name }),
        Kept::Nowhere => Ok(Reply::Done),
        Kept::Failed => Err(failed()),
    }
}

/// iOS shows the app's documents under its name in "Files" (`Info.ios.plist`): the whole path would tell nobody where.
#[cfg(any(target_os = "ios", test))]
pub(crate) fn as_files_shows_it(reply: Reply) -> Reply {
    let Reply::Exported { path } = reply else {
        return reply;
    };
    let name = name_of(Path::new(&path));
    Reply::Exported {
        path: format!("Tapfill/{name}"),
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(any(target_os = "android", test))]
fn failed() -> ErrorView {
    ErrorView {
        code: Code::DiskBroken,
        params: std::collections::BTreeMap::new(),
        retry: Retry::Again,
        money: MoneyPlace::None,
        reference: None,
    }
}

/// Android's own dialog for a new document, and the address that it gives: no permission is needed for either.
#[cfg(target_os = "android")]
pub(crate) async fn keep(app: tauri::AppHandle, name: String, bytes: Vec<u8>) -> Kept {
    use tauri_plugin_dialog::DialogExt;

    let (tell, told) = tokio::sync::oneshot::channel();
    let ending = Path::new(&name).extension().unwrap_or_default();
    let ending = ending.to_string_lossy().into_owned();
    app.dialog()
        .file()
        .set_file_name(name)
        .add_filter(ending.clone(), &[ending.as_str()])
        .save_file(move |chosen| drop(tell.send(chosen)));
    let Ok(Some(document)) = told.await else {
        return Kept::Nowhere;
    };
    // Both the address and the document are another app's, which may take its time.
    let written = tauri::async_runtime::spawn_blocking(move || write(&app, document, &bytes));
    match written.await {
        Ok(Ok(())) => Kept::There,
        Ok(Err(error)) => {
            log::warn!("a document can't be written: {}", error.kind());
            Kept::Failed
        }
        Err(_) => Kept::Failed,
    }
}

#[cfg(target_os = "android")]
fn write(
    app: &tauri::AppHandle,
    document: tauri_plugin_dialog::FilePath,
    bytes: &[u8],
) -> std::io::Result<()> {
    use std::io::Write;
    use tauri_plugin_fs::{FsExt, OpenOptions};

    let mut options = OpenOptions::new();
    // What was there before may be longer.
    options.write(true).truncate(true);
    let mut file = app.fs().open(document, options)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// An export as the session makes it, in a folder of its own.
    fn exported(test: &str) -> (PathBuf, Reply) {
        let folder = format!("tapfill-export-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("tapfill-history.csv");
        std::fs::write(&path, "time,kind").unwrap();
        let told = path.display().to_string();
        (path, Reply::Exported { path: told })
    }

    /// What the page is told: a path, nothing, or what went wrong.
    fn told(outcome: Result<Reply, ErrorView>) -> Result<Option<String>, Code> {
        let reply = outcome.map_err(|error| error.code)?;
        let Reply::Exported { path } = reply else {
            assert!(matches!(reply, Reply::Done), "{reply:?}");
            return Ok(None);
        };
        Ok(Some(path))
    }

    #[tokio::test]
    async fn an_export_is_handed_over_whole_and_nothing_of_it_stays() {
        let name = "tapfill-history.csv".to_owned();
        for (kept, test, expected) in [
            (Kept::There, "there", Ok(Some(name))),
            (Kept::Nowhere, "nowhere", Ok(None)),
            (Kept::Failed, "failed", Err(Code::DiskBroken)),
        ] {
            let (path, reply) = exported(test);
            let outcome = handed_over(reply, |name, bytes| async move {
                assert_eq!(name, "tapfill-history.csv", "what the dialog proposes");
                assert_eq!(bytes, b"time,kind", "all of it");
                kept
            });
            assert_eq!(told(outcome.await), expected, "{kept:?}");
            assert!(!path.exists(), "{kept:?}: nobody could find it there");
            std::fs::remove_dir(path.parent().unwrap()).unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_no_export_asks_for_no_place() {
        let outcome = handed_over(Reply::Done, |_, _| async { Kept::Failed }).await;
        assert_eq!(told(outcome), Ok(None), "nobody was asked");
        assert_eq!(told(Ok(as_files_shows_it(Reply::Done))), Ok(None));
    }

    #[test]
    fn ios_is_told_where_files_shows_an_export() {
        let path = "/var/mobile/Containers/Data/Application/1/Documents/tapfill-history.csv";
        let path = path.to_owned();
        let shown = as_files_shows_it(Reply::Exported { path });
        let path = "Tapfill/tapfill-history.csv".to_owned();
        assert_eq!(told(Ok(shown)), Ok(Some(path)), "under the app's name");
    }
}
