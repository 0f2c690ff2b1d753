//! What an image is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The certificate authorities of Debian, Ubuntu and distroless images. rustls's platform verifier
/// looks at the same place in the image.
pub(crate) const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The user `nonroot` of distroless images: not root, and above the ids that machines give people.
const NOBODY: u32 = 65_532;

/// A file of the building machine, and where it lies in the image.
#[derive(Clone, Debug)]
pub struct ImageFile {
    /// Where it is now.
    pub from: PathBuf,
    /// Absolute path in the image.
    pub to: String,
}

/// What [`crate::write`] makes an image of. Start with [`ImageSpec::new`].
#[derive(Clone, Debug)]
pub struct ImageSpec {
    /// Full name with tag, such as `registry.example.com/shop/storefront:v1.0.0`: what containerd
    /// calls it after an import.
    pub name: String,
    /// The program, on the building machine. Its machine type becomes the image's.
    pub program: PathBuf,
    /// Where the program lies in the image.
    pub program_path: String,
    /// What belongs to it, such as plugins: a layer of its own.
    pub files: Vec<ImageFile>,
    /// Environment variables, besides `PATH`.
    pub env: BTreeMap<String, String>,
    /// User and group, both with this number.
    pub user: u32,
    /// Labels, such as `org.opencontainers.image.version`.
    pub labels: BTreeMap<String, String>,
    /// What is run; the program where empty.
    pub entrypoint: Vec<String>,
    /// Its arguments, which a pod's `args` replace.
    pub cmd: Vec<String>,
    /// When the image was made, for its config: seconds since 1970; 0 until the caller says otherwise.
    /// Files are of 1970 in any case, so that releases share layers.
    pub created: i64,
    /// Certificate authorities of the building machine; `None` for an image that opens no TLS.
    pub certificates: Option<PathBuf>,
}

impl ImageSpec {
    /// An image of this program alone, as `/usr/bin/` and its file name.
    pub fn new(name: &str, program: &Path) -> Self {
        let file = program
            .file_name()
            .map_or_else(|| "program".into(), |name| name.to_string_lossy());
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            program_path: format!("/usr/bin/{file}"),
            files: Vec::new(),
            env: BTreeMap::new(),
            user: NOBODY,
            labels: BTreeMap::new(),
            entrypoint: Vec::new(),
            cmd: Vec::new(),
            created: 0,
            certificates: Some(PathBuf::from(CERTIFICATES)),
        }
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, from: &Path, to: &str) -> Self {
        self.files.push(ImageFile {
            from: from.to_owned(),
            to: to.to_owned(),
        });
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the arguments.
    #[must_use]
    pub fn arguments(mut self, cmd: &[&str]) -> Self {
        self.cmd = cmd.iter().map(|&word| word.to_owned()).collect();
        self
    }
}
