//! What is handed to people, in bytes: programs, installer and page as they were built last, and the memory of a bank
//! that rests.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::figures::{Figure, Report};
use crate::served::{Served, program};
use crate::{Failure, Plan};

const CONFIGURATION: &str = "[bank]\nname = \"Bench\"\n";
/// The first work of its own is done by then.
const RESTS: Duration = Duration::from_secs(3);

pub(crate) fn measure(_: Plan) -> Result<Report, Failure> {
    let mut figures = Vec::new();
    for name in ["tapfill", "bank"] {
        let size = fs::metadata(program(name)?)?.len();
        figures.push(mb(name, size));
    }
    for (name, folder) in [("app", "deb"), ("bank", "bank")] {
        let size = installer(folder)?;
        figures.extend(size.map(|size| mb(&format!("{name}'s installer (.deb)"), size)));
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/assets");
    for (kind, name) in [
        ("js", "page's scripts, gzip"),
        ("css", "page's styles, gzip"),
    ] {
        let bytes = packed(&page, kind)?;
        figures.push(Figure::new(name, bytes as f64 / 1e3, "kB"));
    }
    let bank = Served::start(CONFIGURATION)?;
    std::thread::sleep(RESTS);
    let memory = bank.memory_kb()? / 1e3;
    figures.push(Figure::new("bank at rest, memory", memory, "MB"));
    let store = fs::metadata(bank.folder().join("bank.sqlite"))?.len();
    figures.push(mb("store without any load", store));
    Ok(Report {
        title: "sizes",
        figures,
        repetitions: 1,
        ..Report::default()
    })
}

fn mb(name: &str, bytes: u64) -> Figure {
    Figure::new(name, bytes as f64 / 1e6, "MB")
}

/// Bytes of the newest package in a folder of what was bundled; none on other systems.
fn installer(folder: &str) -> Result<Option<u64>, Failure> {
    let folder = program("bank")?.with_file_name("bundle").join(folder);
    let mut newest = None;
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let entry = entry?;
        if entry.path().extension().is_some_and(|it| it == "deb") {
            let meta = entry.metadata()?;
            newest = newest.max(Some((meta.modified()?, meta.len())));
        }
    }
    Ok(newest.map(|(_, bytes)| bytes))
}

/// All files of a kind, each by itself as a server would send it.
fn packed(folder: &Path, kind: &str) -> Result<usize, Failure> {
    let mut all = 0;
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == kind) {
            let mut out = GzEncoder::new(Vec::new(), Compression::default());
            out.write_all(&fs::read(&path)?)?;
            all += out.finish()?.len();
        }
    }
    Ok(all)
}
