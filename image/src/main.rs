//! `sluice-image`: writes, pushes and reads image archives.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to whoever runs it"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use sluice_image::{Error, ImageFile, ImageSpec, Result};

/// Container images without a container engine.
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write an OCI archive; prints path, size and digest.
    Write(Box<Write>),
    /// Push an archive; prints the name with its digest.
    Push {
        /// The archive.
        archive: PathBuf,
        /// Where to, such as registry.example.com/shop/storefront:v1.0.0.
        reference: String,
        /// Plain HTTP.
        #[arg(long)]
        insecure: bool,
    },
    /// Print the digest of the image in an archive, after checking every part.
    Digest {
        /// The archive.
        archive: PathBuf,
    },
    /// Put the files of the image into a folder.
    Unpack {
        /// The archive.
        archive: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
}

#[derive(Args)]
struct Write {
    /// Full name with tag, such as registry.example.com/shop/storefront:v1.0.0.
    #[arg(long)]
    name: String,
    /// The program on this machine; goes to /usr/bin, and is what the image runs.
    #[arg(long)]
    program: PathBuf,
    /// A file that belongs to it, as FROM=TO with the full path in the image; may be repeated.
    #[arg(long = "file", value_name = "FROM=TO", value_parser = file)]
    files: Vec<ImageFile>,
    /// An environment variable; may be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    variables: Vec<(String, String)>,
    /// A label; may be repeated. One without a value is left out.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// An argument of the program; may be repeated.
    #[arg(long = "cmd", value_name = "WORD", allow_hyphen_values = true)]
    cmd: Vec<String>,
    /// Number of user and group.
    #[arg(long)]
    user: Option<u32>,
    /// Certificate authorities; the building machine's where absent.
    #[arg(long)]
    certificates: Option<PathBuf>,
    /// When the image was made, for its config, in seconds since 1970.
    #[arg(long, env = "SOURCE_DATE_EPOCH", default_value_t = 0)]
    created: i64,
    /// The archive to write.
    #[arg(long)]
    out: PathBuf,
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE is expected".to_owned()),
    }
}

fn file(text: &str) -> std::result::Result<ImageFile, String> {
    let (from, to) = pair(text)?;
    Ok(ImageFile {
        from: from.into(),
        to,
    })
}

impl Write {
    fn spec(self) -> ImageSpec {
        let mut spec = ImageSpec::new(&self.name, &self.program);
        spec.files = self.files;
        spec.env = self.variables.into_iter().collect();
        let labels = self.labels.into_iter();
        spec.labels = labels.filter(|(_, value)| !value.is_empty()).collect();
        spec.cmd = self.cmd;
        spec.created = self.created;
        if let Some(user) = self.user {
            spec.user = user;
        }
        if let Some(path) = self.certificates {
            spec.certificates = Some(path);
        }
        spec
    }
}

fn main() -> ExitCode {
    match run(Command::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Write(write) => {
            let out = write.out.clone();
            let digest = sluice_image::write(&write.spec(), &out)?;
            println!("{}  {} bytes  {digest}", out.display(), size(&out)?);
        }
        Verb::Push {
            archive,
            reference,
            insecure,
        } => {
            let digest =
                runtime(&archive)?.block_on(sluice_image::push(&archive, &reference, insecure))?;
            println!("{reference}@{digest}");
        }
        Verb::Digest { archive } => println!("{}", sluice_image::digest_of(&archive)?),
        Verb::Unpack { archive, folder } => sluice_image::unpack(&archive, &folder)?,
    }
    Ok(())
}

fn size(path: &Path) -> Result<u64> {
    let read = std::fs::metadata(path).map(|meta| meta.len());
    read.map_err(|source| Error::File {
        what: "read",
        path: path.to_owned(),
        source,
    })
}

fn runtime(archive: &Path) -> Result<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.map_err(|source| Error::File {
        what: "push",
        path: archive.to_owned(),
        source,
    })
}
