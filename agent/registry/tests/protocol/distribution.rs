//! The same round trip against every registry that is at hand: push by a foreign client, list over
//! several pages, resolve, with basic authentication. The embedded registry is held to the same.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sluice_core::port::Registry as _;
use sluice_registry_sim::{Auth, Registry};

use super::*;

/// `ci` with the tests' password, by bcrypt as the CNCF registry wants it.
const HTPASSWD: &str = "ci:$2y$05$abcdefghijklmnopqrstuuGfpF1HDXo7lpQMrQCFqZLQLaEHfYRUG\n";

/// A running CNCF distribution registry; it ends with this.
struct Distribution {
    process: Child,
    host: String,
    folder: PathBuf,
}

impl Distribution {
    async fn start(program: &Path) -> Self {
        let name = program.file_name().unwrap().to_string_lossy();
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("htpasswd"), HTPASSWD).unwrap();
        let config = format!(
            "version: 0.1\n\
             log: {{level: info}}\n\
             storage: {{inmemory: {{}}}}\n\
             http: {{addr: '127.0.0.1:0', secret: test}}\n\
             auth: {{htpasswd: {{realm: test, path: '{}'}}}}\n",
            folder.join("htpasswd").display()
        );
        std::fs::write(folder.join("config.yml"), config).unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let process = Command::new(program)
            .arg("serve")
            .arg(folder.join("config.yml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut registry = Self {
            process,
            host: String::new(),
            folder,
        };
        eventually("the registry says where it listens", || {
            registry.listens_on().is_some()
        })
        .await;
        registry.host = registry.listens_on().unwrap();
        registry
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap()
    }

    fn listens_on(&self) -> Option<String> {
        let log = self.log();
        let (_, rest) = log.split_once("listening on ")?;
        // The address ends with the quoted message; the quote also tells that it is whole.
        rest.split_once('"').map(|(address, _)| address.to_owned())
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// Pushes 12 tags, reads them 5 a page, and checks credentials.
async fn round_trip(host: &str) {
    let tags: Vec<_> = (0..12).map(|number| format!("v1.{number:02}")).collect();
    let digest = push::push(host, "shop/storefront", &tags).await;
    let repository = format!("{host}/shop/storefront");

    let reader = client(RegistryConfig {
        page_size: 5,
        ..with_account(host)
    });
    let mut listed = reader.tags(&repository).await.unwrap();
    listed.sort();
    assert_eq!(listed, tags);
    for tag in [&tags[0], &tags[11]] {
        assert_eq!(reader.resolve(&repository, tag).await.unwrap(), digest);
    }
    not_found(reader.resolve(&repository, "v9").await, "404");
    artifact::up_and_down(&reader, &format!("{host}/plugins/slack")).await;
    not_found(reader.tags(&format!("{host}/shop/nothing")).await, "404");

    denied(
        client(plain(host)).tags(&repository).await,
        "none are configured",
    );
    let mut wrong = with_account(host);
    wrong.hosts.get_mut(host).unwrap().password = Some(Secret::new("wrong"));
    denied(client(wrong).tags(&repository).await, "401");
}

#[tokio::test]
async fn the_embedded_registry_takes_the_round_trip() {
    let account = (USERNAME.to_owned(), PASSWORD.to_owned());
    let bearer = Auth::Bearer {
        username: account.0.clone(),
        password: account.1.clone(),
        anonymous_pull: false,
        lifetime: Duration::from_secs(60),
    };
    for auth in [
        Auth::Basic {
            username: account.0,
            password: account.1,
        },
        bearer,
    ] {
        let registry = Registry::start().await.unwrap();
        registry.behave(|b| b.auth = auth);
        round_trip(registry.host()).await;
        let pages = asked(&registry)
            .into_iter()
            .filter(|line| line.contains("last=v1."))
            .count();
        assert_eq!(pages, 2, "the pages after the first");
    }
}

/// `docker-registry` is Debian's package (2.8, which knows no pages), `registry` the project's own
/// program (3.0 pages).
#[tokio::test]
async fn the_cncf_distribution_registry_takes_the_round_trip() {
    let programs: Vec<_> = ["docker-registry", "registry"]
        .iter()
        .filter_map(|name| on_path(name))
        .collect();
    if programs.is_empty() {
        let missing = "distribution registry: neither docker-registry nor registry is on PATH; \
                       get it with: apt-get install docker-registry";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        println!("skipped: {missing}");
        return;
    }
    for program in programs {
        let registry = Distribution::start(&program).await;
        round_trip(&registry.host).await;
        let log = registry.log();
        let pages = log
            .lines()
            .filter(|line| line.contains("GET /v2/shop/storefront/tags/list?last="));
        let paged = version(&program).starts_with('3');
        assert_eq!(
            pages.count() > 0,
            paged,
            "{}: pages after the first\n{log}",
            program.display()
        );
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Such as `2.8.2+ds1`, from `docker-registry github.com/docker/distribution 2.8.2+ds1`.
fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace()
        .last()
        .unwrap_or_default()
        .trim_start_matches('v')
        .to_owned()
}
