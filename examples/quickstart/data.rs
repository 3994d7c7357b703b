//! What outlives the program: a SQLite file, and the pepper beside it.

use std::error::Error;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tower_mcp_auth::api_token::Peppers;
use tower_mcp_auth::backend::SqlStore;

use super::args::Options;
use super::pepper;

pub(crate) struct Data {
    pub(crate) store: SqlStore,
    pub(crate) peppers: Peppers,
    pub(crate) file: PathBuf,
    /// The same as a URL.
    pub(crate) url: String,
    /// Where the peppers are.
    pub(crate) pepper: PathBuf,
}

impl Data {
    /// # Errors
    /// The file cannot be made or read, or is not to be begun anew.
    pub(crate) async fn open(options: &Options) -> Result<Self, Box<dyn Error>> {
        let file = options.data.clone().unwrap_or_else(usual_place);
        let file = std::path::absolute(file)?;
        let url = url(&file)?;
        folder(&file)?;
        if options.fresh {
            remove(&file).await?;
        }
        let pepper = file.with_file_name("quickstart.pepper");
        // In this order, because a pepper is there before its database is.
        if file.exists() && !pepper.exists() {
            let (file, pepper) = (file.display(), pepper.display());
            return Err(format!(
                "{file} is there, and the key its tokens are sealed with is not: put it back as {pepper}, or begin anew with --fresh"
            )
            .into());
        }
        let peppers = pepper::at(&pepper)?;
        let store = SqlStore::builder(&url).create(true).migrate(true);
        Ok(Self {
            store: store.open().await?,
            peppers,
            file,
            url,
            pepper,
        })
    }
}

/// Among what cargo makes, or among temporary files.
fn usual_place() -> PathBuf {
    let folder = if Path::new("Cargo.toml").is_file() {
        PathBuf::from("target/quickstart")
    } else {
        std::env::temp_dir().join("mcp-auth-quickstart")
    };
    folder.join("mcp-auth.db")
}

/// Makes the folder of a file, for nobody else.
fn folder(file: &Path) -> Result<(), Box<dyn Error>> {
    let folder = file.parent().ok_or("--data names no file")?;
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(folder);
    made.map_err(|error| format!("cannot make {}: {error}", folder.display()).into())
}

/// As a URL writes it: SQLite reads `%`, `?` and `#` there.
fn url(file: &Path) -> Result<String, Box<dyn Error>> {
    let path = file.to_str().ok_or("the name of the file is not Unicode")?;
    let path = path.replace('%', "%25").replace('?', "%3F");
    Ok(format!(
        "sqlite:{}",
        path.replace('#', "%23").replace(' ', "%20")
    ))
}

/// Removes a database that nobody else has open, and that is one of ours.
async fn remove(file: &Path) -> Result<(), Box<dyn Error>> {
    if !file.exists() {
        return Ok(());
    }
    let shown = file.display();
    let options = SqliteConnectOptions::new().filename(file);
    let mut database = options.busy_timeout(Duration::ZERO).connect().await?;
    let theirs = "SELECT count(*) FROM sqlite_master WHERE substr(tbl_name, 1, 9) <> 'mcp_auth_'";
    let theirs = sqlx::query_scalar::<_, i64>(theirs)
        .fetch_one(&mut database)
        .await;
    let theirs = theirs.map_err(|error| format!("--fresh leaves {shown} alone: {error}"))?;
    if theirs != 0 {
        return Err(format!("--fresh leaves {shown} alone: it holds other tables, too").into());
    }
    // Refused while another program has it open, whose tokens would be gone.
    let alone = sqlx::query("PRAGMA journal_mode = DELETE").execute(&mut database);
    if alone.await.is_err() {
        return Err(format!("--fresh leaves {shown} alone: another program uses it").into());
    }
    database.close().await?;
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
