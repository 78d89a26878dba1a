//! The schema after each migration, frozen: released stores have exactly these.

use super::*;

#[test]
fn the_schema_of_each_version_is_frozen() {
    let database = Connection::open_in_memory().unwrap();
    for (migration, version) in MIGRATIONS.into_iter().zip(1..) {
        database.execute_batch(migration).unwrap();
        let mut statement = database
            .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
            .unwrap();
        let parts = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap();
        let dump: Vec<String> = parts.map(Result::unwrap).collect();
        insta::assert_snapshot!(format!("version_{version}"), dump.join("\n"));
    }
}

#[test]
fn a_new_file_carries_the_newest_version_and_our_application_id() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("new.db");
    std::fs::write(&file, b"").unwrap();
    let (database, state) = open_database(&file, Check::Whole, Incarnation(1)).unwrap();
    assert_eq!(state, FileState::New);
    let number = |pragma: &str| -> i64 {
        database
            .pragma_query_value(None, pragma, |row| row.get(0))
            .unwrap()
    };
    assert_eq!(number("user_version"), i64::from(NEWEST_VERSION));
    assert_eq!(number("application_id"), APPLICATION_ID);
    assert_eq!(number("synchronous"), 2);
    assert_eq!(number("foreign_keys"), 1);
    drop(database);
    let (_, state) = open_database(&file, Check::Whole, Incarnation(2)).unwrap();
    assert_eq!(state, FileState::Existing);
}
