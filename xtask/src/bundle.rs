//! The installers of a release.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{self, Made, root, target};
use crate::install::{self, Extent};
use crate::process::run as finish;
use crate::{Options, Outcome, bank_deb, notices};

/// Where the program that makes installers is kept: it is heavy, and nothing else needs it.
const TOOL: &str = "src-tauri/bundle";
const TOOL_PROGRAM: &str = "node_modules/@tauri-apps/cli/tauri.js";

/// What can be made without fetching anything more.
const USUAL: &str = if cfg!(target_os = "windows") {
    "msi"
} else if cfg!(target_os = "macos") {
    "dmg"
} else {
    "deb,rpm"
};

const APPIMAGE: &str = "appimage";

/// `--profile FILE` puts a bank's profile in, `--publisher FILE` what a publisher adds to `tauri.conf.json`,
/// `--bundles LIST` chooses the kinds.
/// `--bank` makes the bank's instead of the app's.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    if options.has("--bank") {
        return bank_deb::make();
    }
    install::system_packages(Extent::Installers)?;
    let publisher = options.value("--publisher").map(read).transpose()?;
    let profile = options.value("--profile").map(resource).transpose()?;
    build::release_app(publisher.as_deref(), Made::ToUse)?;
    let tool = root().join(TOOL);
    install::node_modules(&tool)?;
    let notices = third_party(&target().join("release/notices"))?;
    let mut command = Command::new("node");
    command.current_dir(root()).arg(tool.join(TOOL_PROGRAM));
    let kinds = options.value("--bundles").unwrap_or(USUAL);
    command.args(["bundle", "--ci", "--bundles", kinds]);
    for more in [profile, publisher, Some(notices)].into_iter().flatten() {
        command.args(["--config", &more]);
    }
    let has_image = kinds.split(',').any(|kind| kind == APPIMAGE);
    let made = target().join("release/bundle").join(APPIMAGE);
    if has_image {
        // Nothing of before is looked into.
        let _ = fs::remove_dir_all(&made);
        command.env("LINUXDEPLOY_EXCLUDED_LIBRARIES", "libpcsclite*");
    }
    finish(&mut command)?;
    if has_image {
        for image in images(&made)? {
            without_pcsclite(&image)?;
        }
    }
    println!("In {}", target().join("release/bundle").display());
    Ok(())
}

fn read(path: &str) -> Outcome<String> {
    fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}

/// The bank's profile beside the program, where the app looks for it.
fn resource(path: &str) -> Outcome<String> {
    let file = fs::canonicalize(path).map_err(|e| format!("{path}: {e}"))?;
    let text = file.to_string_lossy();
    if text.contains(['"', '\\']) {
        return Err(format!(
            "{path}: a name without quotes and backslashes, please"
        ));
    }
    Ok(format!(
        r#"{{"bundle":{{"resources":{{"{text}":"profile.json"}}}}}}"#
    ))
}

/// Writes whose work is in the app into `folder`: beside the program for every kind, and where Debian looks for it.
fn third_party(folder: &Path) -> Outcome<String> {
    let list = put(folder, notices::NAME, &notices::of_app()?)?;
    let installed = format!("/usr/lib/Tapfill/{}", notices::NAME);
    let copyright = put(folder, "copyright", &notices::debian(&installed)?)?;
    Ok(format!(
        r#"{{"bundle":{{"resources":{{{}:{}}},"linux":{{"deb":{{"files":{{"/usr/share/doc/tapfill/copyright":{}}}}}}}}}}}"#,
        quoted(&list.to_string_lossy()),
        quoted(notices::NAME),
        quoted(&copyright.to_string_lossy()),
    ))
}

fn put(folder: &Path, name: &str, text: &str) -> Outcome<PathBuf> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

fn images(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    Ok(files
        .filter(|file| file.extension().is_some_and(|it| it == "AppImage"))
        .collect())
}

/// The reader's library must be the system's: it speaks with the service that is installed there, and only with one of
/// its own version. Older makers of AppImages leave out nothing that they are told to.
fn without_pcsclite(image: &Path) -> Outcome<()> {
    let folder = image.with_extension("looked-into");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let looked = Command::new(image)
        .arg("--appimage-extract")
        .current_dir(&folder)
        .output()
        .map_err(|e| format!("{}: {e}", image.display()))?;
    let found = brought(&folder);
    let is_whole = folder.join("squashfs-root/usr/bin/tapfill").exists();
    let _ = fs::remove_dir_all(&folder);
    match found {
        _ if !looked.status.success() || !is_whole => {
            Err(format!("{}: can't be looked into", image.display()))
        }
        Some(library) => Err(format!(
            "{} brings {library}, which must be the system's. The linuxdeploy in Tauri's cache does not know \
             LINUXDEPLOY_EXCLUDED_LIBRARIES: put a newer one there (~/.cache/tauri/linuxdeploy-<arch>.AppImage)",
            image.display()
        )),
        None => Ok(()),
    }
}

/// The reader's library, anywhere in a folder.
fn brought(folder: &Path) -> Option<String> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    entries.into_iter().find_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().is_ok_and(|it| it.is_dir());
        if is_folder {
            brought(&entry.path())
        } else {
            name.starts_with("libpcsclite").then_some(name)
        }
    })
}

/// A path as JSON has it.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that does as an AppImage: it unpacks itself into `squashfs-root`.
    #[cfg(unix)]
    fn image(folder: &Path, library: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let image = folder.join("Tapfill.AppImage");
        let text = format!(
            "#!/bin/sh\nmkdir -p squashfs-root/usr/lib squashfs-root/usr/bin\n: >squashfs-root/usr/bin/tapfill\n: >squashfs-root/usr/lib/{library}\n"
        );
        fs::write(&image, text).unwrap();
        fs::set_permissions(&image, fs::Permissions::from_mode(0o755)).unwrap();
        image
    }

    #[cfg(unix)]
    #[test]
    fn an_appimage_with_the_readers_library_in_it_is_refused() {
        let folder = std::env::temp_dir().join(format!("tapfill-bundle-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let without = image(&folder, "libwebkit2gtk-4.1.so.0");
        assert_eq!(images(&folder).unwrap(), [without.as_path()]);
        let looked = without_pcsclite(&without);
        let with = without_pcsclite(&image(&folder, "libpcsclite.so.1"));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(looked, Ok(()));
        assert!(with.is_err_and(|why| why.contains("brings libpcsclite.so.1")));
    }

    #[test]
    fn a_path_of_any_system_can_stand_in_a_configuration() {
        assert_eq!(quoted("/src/target/a.txt"), r#""/src/target/a.txt""#);
        assert_eq!(quoted(r#"C:\src\a "b".txt"#), r#""C:\\src\\a \"b\".txt""#);
    }
}
