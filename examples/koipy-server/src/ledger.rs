//! Points and statistics, in a file that survives the process.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, task::spawn_blocking};

/// How many points a test costs, and how many a user starts with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tariff {
    pub(crate) start: u32,
    pub(crate) cost: u32,
}

/// The points of all users. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    tariff: Tariff,
    path: Option<Arc<Path>>,
    /// Locked while it is written, so that what is read is in the file.
    book: Arc<Mutex<Arc<Book>>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Book {
    points: BTreeMap<i64, u32>,
    /// The callbacks that were paid for last. The layer knows duplicates only while the process lives; the
    /// file knows them as long as it knows the points.
    paid: VecDeque<String>,
    statistics: Statistics,
}

/// The counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Statistics {
    pub(crate) users: usize,
    pub(crate) tests: u64,
    pub(crate) refused: u64,
    pub(crate) results: u64,
    pub(crate) nodes: u64,
}

/// The result of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payment {
    /// It was made now, or before.
    Paid,
    /// The user has too few points.
    TooFew { points: u32 },
}

/// How many paid callbacks the ledger remembers.
const PAID: usize = 10_000;

impl Ledger {
    pub(crate) fn in_memory(tariff: Tariff) -> Self {
        Self { tariff, path: None, book: Arc::default() }
    }

    /// Reads the file, if there is one.
    pub(crate) fn open(path: &Path, tariff: Tariff) -> io::Result<Self> {
        let book = match fs::read(path) {
            Ok(book) => serde_json::from_slice(&book)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Book::default(),
            Err(error) => return Err(error),
        };
        let book = Arc::new(Mutex::new(Arc::new(book)));
        Ok(Self { tariff, path: Some(path.into()), book })
    }

    pub(crate) fn cost(&self) -> u32 {
        self.tariff.cost
    }

    pub(crate) async fn points(&self, user: i64) -> u32 {
        let book = self.book.lock().await;
        book.points.get(&user).copied().unwrap_or(self.tariff.start)
    }

    /// Takes the points for a test, once per callback.
    pub(crate) async fn charge(&self, user: i64, callback: Option<&str>) -> io::Result<Payment> {
        let Tariff { start, cost } = self.tariff;
        self.change(|book| {
            if callback.is_some_and(|callback| book.paid.iter().any(|paid| paid == callback)) {
                return Payment::Paid;
            }
            let points = book.points.entry(user).or_insert(start);
            let Some(rest) = points.checked_sub(cost) else {
                let points = *points;
                book.statistics.refused += 1;
                return Payment::TooFew { points };
            };
            *points = rest;
            book.paid.extend(callback.map(str::to_owned));
            let surplus = book.paid.len().saturating_sub(PAID);
            book.paid.drain(..surplus);
            book.statistics.tests += 1;
            Payment::Paid
        })
        .await
    }

    pub(crate) async fn count_refused(&self) -> io::Result<()> {
        self.change(|book| book.statistics.refused += 1).await
    }

    pub(crate) async fn count_result(&self, nodes: usize) -> io::Result<()> {
        self.change(|book| {
            book.statistics.results += 1;
            book.statistics.nodes += nodes as u64;
        })
        .await
    }

    pub(crate) async fn statistics(&self) -> Statistics {
        let book = self.book.lock().await;
        Statistics { users: book.points.len(), ..book.statistics.clone() }
    }

    /// Changes the book and its file. If the file cannot be written, changes neither.
    async fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) -> io::Result<T> {
        let mut kept = Arc::clone(&self.book).lock_owned().await;
        let mut book = Book::clone(&kept);
        let outcome = change(&mut book);
        if book == **kept {
            return Ok(outcome);
        }
        let (book, path) = (Arc::new(book), self.path.clone());
        // Goes on if the caller stops waiting, so that file and memory stay equal.
        spawn_blocking(move || {
            if let Some(path) = path {
                write(&path, &book)?;
            }
            *kept = book;
            Ok(())
        })
        .await
        .map_err(io::Error::other)?
        .map(|()| outcome)
    }
}

/// Replaces the file: a reader sees the old one or the new one, even after a power cut.
fn write(path: &Path, book: &Book) -> io::Result<()> {
    let mut beside = OsString::from(path);
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = File::create(&beside)?;
    file.write_all(&serde_json::to_vec(book)?)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The name has to reach the disk too. Only Unix can sync a folder.
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARIFF: Tariff = Tariff { start: 3, cost: 2 };

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("koipy-{}-{name}.json", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    #[tokio::test]
    async fn a_test_is_paid_for_once_and_not_without_points() {
        let ledger = Ledger::in_memory(TARIFF);
        for _ in 0..2 {
            assert_eq!(ledger.charge(7, Some("a")).await.unwrap(), Payment::Paid);
            assert_eq!(ledger.points(7).await, 1);
        }
        let too_few = Payment::TooFew { points: 1 };
        assert_eq!(ledger.charge(7, Some("b")).await.unwrap(), too_few);
        assert_eq!(ledger.charge(8, Some("b")).await.unwrap(), Payment::Paid);
        let counted = Statistics { users: 2, tests: 2, refused: 1, ..Statistics::default() };
        assert_eq!(ledger.statistics().await, counted);
    }

    #[tokio::test]
    async fn what_was_paid_survives() {
        let path = path("survives");
        Ledger::open(&path, TARIFF).unwrap().charge(7, Some("a")).await.unwrap();
        let ledger = Ledger::open(&path, TARIFF).unwrap();
        assert_eq!(ledger.points(7).await, 1);
        assert_eq!(ledger.charge(7, Some("a")).await.unwrap(), Payment::Paid);
        assert_eq!(ledger.points(7).await, 1);
        fs::remove_file(&path).unwrap();
    }

    #[tokio::test]
    async fn a_change_that_cannot_be_written_is_not_made() {
        let path = path("folder");
        let ledger = Ledger::open(&path, TARIFF).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(ledger.charge(7, Some("a")).await.is_err());
        assert_eq!(ledger.points(7).await, 3);
        fs::remove_dir(&path).unwrap();
        fs::remove_file(path.with_extension("json.new")).unwrap();
    }

    #[test]
    fn a_file_that_is_not_a_ledger_is_not_overwritten() {
        let path = path("garbage");
        fs::write(&path, "{\"points\":").unwrap();
        assert!(Ledger::open(&path, TARIFF).is_err());
        fs::remove_file(&path).unwrap();
    }

    #[tokio::test]
    async fn the_list_of_paid_callbacks_is_bounded() {
        let ledger = Ledger::in_memory(Tariff { start: 0, cost: 0 });
        let ids = (0..=PAID).map(|id| id.to_string()).collect();
        let book = Book { paid: ids, ..Book::default() };
        *ledger.book.lock().await = Arc::new(book);
        ledger.charge(7, Some("new")).await.unwrap();
        assert_eq!(ledger.book.lock().await.paid.len(), PAID);
    }
}
