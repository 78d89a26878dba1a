//! Writes the seeds of all doors below the directory that is named: `seeds DIRECTORY` makes
//! `DIRECTORY/<door>/seed-<number>`.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let directory = env::args_os().nth(1).expect("a directory");
    for door in towline_fuzz::doors() {
        let place = Path::new(&directory).join(door.name);
        fs::create_dir_all(&place)?;
        for (number, seed) in (door.seeds)().into_iter().enumerate() {
            fs::write(place.join(format!("seed-{number:03}")), seed)?;
        }
    }
    Ok(())
}
