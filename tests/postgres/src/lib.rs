//! A PostgreSQL server of a test's own: in a temporary folder, on a socket there, ended with the process that
//! started it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Where systems keep the programs that are not in `PATH`; the newest version wins.
const FOLDERS: [&str; 3] = ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt"];
/// The user of the database, who may do everything in it.
const USER: &str = "bank";

/// Makes the cluster, serves it until standard input ends, and leaves nothing behind.
const SERVE: &str = r#"
set -e
cd "$1"
"$2/initdb" --pgdata=data --username=bank --auth=trust --encoding=UTF8 --no-locale --no-sync >initdb.log 2>&1
"$2/postgres" -D data -k "$1" -c listen_addresses= -c max_connections=200 $3 >server.log 2>&1 &
server=$!
read -r _ || true
kill -INT $server
wait $server || true
rm -rf "$1"
"#;

/// How much a server does for what it was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// A commit is on the disk: as it is operated.
    Whole,
    /// Nothing is waited for: enough where only the process can fail.
    None,
}

/// A running server. It ends when this is dropped, or with this process.
pub struct PrivatePostgres {
    folder: PathBuf,
    programs: PathBuf,
    server: Child,
    stdin: Option<ChildStdin>,
    schemas: AtomicU32,
}

impl PrivatePostgres {
    /// Starts one; none where PostgreSQL is not installed.
    ///
    /// # Errors
    /// When it is installed and does not start; with what it said.
    pub fn start(durability: Durability) -> io::Result<Option<Self>> {
        let Some(programs) = programs() else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("pg-").tempdir()?.keep();
        let settings = match durability {
            Durability::Whole => "",
            Durability::None => "-c fsync=off -c synchronous_commit=off -c full_page_writes=off",
        };
        let mut command = unprivileged(&folder)?;
        command.args(["sh", "-c", SERVE, "sh"]);
        command.arg(&folder).arg(&programs).arg(settings);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut server = command.spawn()?;
        let stdin = server.stdin.take();
        let mut started = Self {
            folder,
            programs,
            server,
            stdin,
            schemas: AtomicU32::new(0),
        };
        started.wait()?;
        Ok(Some(started))
    }

    fn wait(&mut self) -> io::Result<()> {
        for _ in 0..600 {
            if self.tool("pg_isready", &[])?.status.success() {
                return Ok(());
            }
            if self.server.try_wait()?.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut said = String::from("PostgreSQL does not start:");
        for log in ["initdb.log", "server.log"] {
            let text = fs::read_to_string(self.folder.join(log)).unwrap_or_default();
            let _written = write!(said, "\n{log}:\n{text}");
        }
        Err(io::Error::other(said))
    }

    /// The URL of a new and empty schema, which nobody sees beyond. A database of its own for each test would be
    /// some hundred files more to make and to remove.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn schema(&self) -> io::Result<String> {
        let name = format!("bank_{}", self.schemas.fetch_add(1, Ordering::Relaxed));
        let sql = format!("CREATE SCHEMA {name}");
        let made = self.tool("psql", &["--no-psqlrc", "--command", &sql, "postgres"])?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(io::Error::other(said));
        }
        let folder = self.folder.display().to_string().replace('/', "%2F");
        Ok(format!(
            "postgres://{USER}@localhost/postgres?host={folder}&options[search_path]={name}"
        ))
    }

    /// Runs a program of PostgreSQL against this server.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn tool(&self, program: &str, arguments: &[&str]) -> io::Result<Output> {
        let mut command = self.command(program);
        command.args(arguments).output()
    }

    /// A program of PostgreSQL that is told where this server is.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env("PGHOST", &self.folder).env("PGUSER", USER);
        command
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ended = self.server.wait();
    }
}

/// The folder of the server's programs.
fn programs() -> Option<PathBuf> {
    let has = |folder: &PathBuf| folder.join("initdb").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path).find(has) {
        // A link elsewhere would not lead to the programs beside it.
        let program = fs::canonicalize(found.join("initdb")).ok()?;
        return program.parent().map(Path::to_owned);
    }
    let mut found: Vec<PathBuf> = FOLDERS
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|items| items.filter_map(|item| Some(item.ok()?.path().join("bin"))))
        .filter(has)
        .collect();
    found.sort();
    found.pop()
}

/// The beginning of a command without root's rights: PostgreSQL refuses to have them.
fn unprivileged(folder: &Path) -> io::Result<Command> {
    let user = Command::new("id").arg("-u").output()?;
    if user.stdout.trim_ascii() != b"0" {
        return Ok(Command::new("env"));
    }
    let owner = Command::new("chown")
        .arg("postgres:")
        .arg(folder)
        .status()?;
    if !owner.success() {
        return Err(io::Error::other("root needs a user called postgres"));
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        "--",
    ]);
    Ok(command)
}
