//! Writes the files that accompany the program into a folder: shell completions and man pages.
//! `cargo run -p connect-core --example papers -- FOLDER`

use std::error::Error;
use std::path::PathBuf;

use connect_core::Frontend;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("name a folder")?);
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    std::fs::create_dir_all(&man)?;
    std::fs::create_dir_all(&completions)?;
    for (file, script) in connect_core::completion_scripts() {
        std::fs::write(completions.join(file), script)?;
    }
    let command = connect_core::command_line(Frontend::Kubectl).bin_name("kubectl-connect").display_name("kubectl-connect");
    clap_mangen::generate_to(command, &man)?;
    Ok(())
}
