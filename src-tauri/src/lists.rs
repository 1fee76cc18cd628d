//! The person chooses the file of a list, in the system's own dialog; the page never sees what is in it.

use std::path::Path;

use session::{Chosen, Errand, ListFile, Outside, Session};
use tauri::AppHandle;
use tauri_plugin_dialog::{DialogExt, FilePath};
use tokio::sync::broadcast::error::RecvError;

/// A file over this is no list: what the rules take is less.
const MOST_BYTES: u64 = 4_000_000;

/// Opens the dialog whenever the session asks for it.
pub(crate) fn follow(app: AppHandle, session: &Session) {
    let mut errands = session.errands();
    let session = session.clone();
    tauri::async_runtime::spawn(async move {
        loop {
            match errands.recv().await {
                Ok(Errand::PickList) => pick(&app, session.clone()),
                Ok(Errand::Tell(_) | Errand::Update) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}

fn pick(app: &AppHandle, session: Session) {
    #[cfg(feature = "simulator")]
    if let Some(path) = std::env::var_os("TAPFILL_LIST") {
        session.tell(Outside::List(read(Path::new(&path))));
        return;
    }
    let handle = app.clone();
    // Phones know kinds of files and not their endings, and many call a CSV file plain text: there all are shown.
    let dialog = app.dialog().file();
    #[cfg(desktop)]
    let dialog = dialog.add_filter("CSV", &["csv", "txt", "tsv"]);
    dialog.pick_file(move |chosen| {
        let chosen = chosen.map_or(Chosen::Nothing, |path| open(&handle, path));
        session.tell(Outside::List(chosen));
    });
}

#[cfg(desktop)]
fn open(_: &AppHandle, path: FilePath) -> Chosen {
    match path.into_path() {
        Ok(path) => read(&path),
        Err(_) => Chosen::Unreadable,
    }
}

/// A phone names a document by an address that only its own system reads.
#[cfg(mobile)]
fn open(app: &AppHandle, path: FilePath) -> Chosen {
    use tauri_plugin_fs::{FsExt, OpenOptions};
    let document = match path {
        FilePath::Path(path) => return read(&path),
        document @ FilePath::Url(_) => document,
    };
    let mut options = OpenOptions::new();
    options.read(true);
    match app.fs().open(document, options) {
        Ok(file) => take(file, "list.csv".to_owned()),
        Err(_) => Chosen::Unreadable,
    }
}

fn read(path: &Path) -> Chosen {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match std::fs::File::open(path) {
        Ok(file) => take(file, name.into_owned()),
        Err(error) => {
            log::warn!("a list can't be opened: {}", error.kind());
            Chosen::Unreadable
        }
    }
}

fn take(file: std::fs::File, name: String) -> Chosen {
    use std::io::Read;
    let mut bytes = Vec::new();
    match file.take(MOST_BYTES).read_to_end(&mut bytes) {
        Ok(_) => Chosen::File(ListFile {
            name,
            bytes: bytes.into(),
        }),
        Err(error) => {
            log::warn!("a list can't be read: {}", error.kind());
            Chosen::Unreadable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_with_its_name_and_one_that_is_not_there_is_told() {
        let folder = std::env::temp_dir().join(format!("tapfill-list-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("class 3b.csv");
        std::fs::write(&path, "name,card,amount\n").unwrap();
        let Chosen::File(file) = read(&path) else {
            panic!("it is there")
        };
        assert_eq!(file.name, "class 3b.csv");
        assert_eq!(*file.bytes, b"name,card,amount\n");
        assert_eq!(read(&folder), Chosen::Unreadable, "a folder");
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read(&path), Chosen::Unreadable);
    }
}
