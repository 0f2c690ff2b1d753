//! Browsers of people: Debian's headless Chromium, each with a profile of its own that ends with it,
//! driven by its WebDriver (W3C), which is JSON over HTTP and needs no library.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sluice_cluster_bed::Desk;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::Cluster;

/// The programs, where Debian's packages chromium and chromium-driver put them.
const PROGRAMS: [&str; 2] = ["/usr/bin/chromium", "/usr/bin/chromedriver"];
/// For one command of a browser that shares two cores with a cluster.
const COMMAND: Duration = Duration::from_secs(60);
/// For what a page must show.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// The key under which WebDriver writes an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What is missing for a browser on this machine.
pub(crate) fn missing() -> Option<String> {
    let lacks: Vec<&str> = PROGRAMS
        .into_iter()
        .filter(|path| !Path::new(path).exists())
        .collect();
    (!lacks.is_empty()).then(|| {
        format!(
            "{} (apt-get install --no-install-recommends chromium chromium-driver)",
            lacks.join(" and ")
        )
    })
}

/// Starts browsers; they end with it.
pub(crate) struct Browsers {
    _driver: Child,
    /// Where they run, in a cluster of our own: on the node they would break off whenever a pod comes.
    _desk: Option<Desk>,
    address: String,
    http: reqwest::Client,
    arguments: Vec<String>,
}

impl Browsers {
    /// `lead` says where names lead (`MAP name:443 address:port`); `key` is the only key that is
    /// believed without an authority, as base64 of its SHA-256.
    pub(crate) async fn start(cluster: &Cluster, lead: &str, key: &str) -> anyhow::Result<Self> {
        let home = cluster.scratch.path().join("chromium");
        std::fs::create_dir_all(&home)?;
        let desk = cluster.bed.as_ref().map(|bed| bed.desk()).transpose()?;
        let (mut driver, address, from) = match &desk {
            Some(desk) => {
                let command = Command::from(desk.command(PROGRAMS[1]));
                (command, desk.address(), desk.node())
            }
            None => (
                Command::new(PROGRAMS[1]),
                Ipv4Addr::LOCALHOST,
                Ipv4Addr::LOCALHOST,
            ),
        };
        let mut driver = driver
            .args(["--port=0", &format!("--allowed-ips={from}")])
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("chromedriver does not start")?;
        let said = driver.stdout.take().context("chromedriver says nothing")?;
        let port = timeout(COMMAND, port_of(said))
            .await
            .context("chromedriver")??;
        let switches = [
            "--headless=new",
            // Chromium has no sandbox for root; what it shows here is our own page alone.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--hide-scrollbars",
            "--window-size=1100,1200",
        ];
        let mut arguments: Vec<String> = switches.iter().map(|s| (*s).to_owned()).collect();
        arguments.push(format!("--host-resolver-rules={lead}"));
        arguments.push(format!("--ignore-certificate-errors-spki-list={key}"));
        Ok(Self {
            _driver: driver,
            _desk: desk,
            address: format!("http://{address}:{port}"),
            http: reqwest::Client::builder()
                .timeout(COMMAND)
                .no_proxy()
                .build()?,
            arguments,
        })
    }

    /// A browser that nobody has used yet.
    pub(crate) async fn open(&self) -> anyhow::Result<Browser<'_>> {
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": PROGRAMS[0], "args": self.arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let made = self.ask("/session", &wanted).await?;
        let id = made["sessionId"].as_str().context("no session")?;
        Ok(Browser {
            all: self,
            session: format!("/session/{id}"),
        })
    }

    /// Ends them all: a driver that is killed would leave them behind.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        let address = format!("{}/shutdown", self.address);
        self.http.get(address).send().await?;
        Ok(())
    }

    async fn ask(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self
            .http
            .post(format!("{}{path}", self.address))
            .json(body)
            .send()
            .await
            .with_context(|| format!("the browser does not answer {path}"))?;
        let mut answer: Value = answer.json().await?;
        let value = answer["value"].take();
        if let Some(error) = value["error"].as_str() {
            let message = value["message"].as_str().unwrap_or_default();
            bail!("{error}: {}", message.lines().next().unwrap_or_default());
        }
        Ok(value)
    }
}

/// The port that the driver chose.
async fn port_of(said: tokio::process::ChildStdout) -> anyhow::Result<u16> {
    let mut lines = BufReader::new(said).lines();
    while let Some(line) = lines.next_line().await? {
        let port = line.split("successfully on port ").nth(1);
        if let Some(port) = port.and_then(|rest| rest.trim_end_matches('.').parse().ok()) {
            return Ok(port);
        }
    }
    bail!("chromedriver ended without a port")
}

/// One person's browser.
pub(crate) struct Browser<'a> {
    all: &'a Browsers,
    session: String,
}

impl Browser<'_> {
    async fn ask(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.all.ask(&format!("{}{path}", self.session), body).await
    }

    /// Opens an address and waits until it is loaded.
    pub(crate) async fn go(&self, address: &str) -> anyhow::Result<()> {
        self.ask("/url", &json!({"url": address}))
            .await
            .with_context(|| format!("opening {address}"))?;
        Ok(())
    }

    /// What a script in the page answers.
    pub(crate) async fn script(&self, script: &str, arguments: Value) -> anyhow::Result<Value> {
        self.ask(
            "/execute/sync",
            &json!({"script": script, "args": arguments}),
        )
        .await
    }

    /// The address that the page has now.
    pub(crate) async fn address(&self) -> anyhow::Result<String> {
        let said = self.script("return location.href", json!([])).await?;
        Ok(said.as_str().unwrap_or_default().to_owned())
    }

    /// The text that a person sees, with one blank between words.
    pub(crate) async fn text(&self) -> anyhow::Result<String> {
        let said = self
            .script("return document.body.innerText", json!([]))
            .await?;
        let words: Vec<&str> = said
            .as_str()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        Ok(words.join(" "))
    }

    /// Waits until the page shows all of these; answers with its text.
    pub(crate) async fn shows(&self, wanted: &[&str]) -> anyhow::Result<String> {
        let start = Instant::now();
        loop {
            // Between two pages there is none.
            let text = self.text().await.unwrap_or_default();
            let lacks: Vec<&&str> = wanted.iter().filter(|w| !text.contains(**w)).collect();
            if lacks.is_empty() {
                return Ok(text);
            }
            ensure!(
                start.elapsed() < PATIENCE,
                "the page {} does not show {lacks:?}; it shows: {text}",
                self.address().await.unwrap_or_default()
            );
            sleep(LOOK).await;
        }
    }

    /// The element that an XPath names, when it is there.
    async fn element(&self, xpath: &str) -> anyhow::Result<String> {
        let start = Instant::now();
        let by = json!({"using": "xpath", "value": xpath});
        loop {
            match self.ask("/element", &by).await {
                Ok(found) => {
                    let id = found[ELEMENT]
                        .as_str()
                        .context("an element without an id")?;
                    return Ok(id.to_owned());
                }
                Err(error) if start.elapsed() > PATIENCE => {
                    let text = self.text().await.unwrap_or_default();
                    return Err(error.context(format!("no {xpath} in: {text}")));
                }
                Err(_) => sleep(LOOK).await,
            }
        }
    }

    /// Whether an XPath names anything now.
    pub(crate) async fn has(&self, xpath: &str) -> anyhow::Result<bool> {
        let by = json!({"using": "xpath", "value": xpath});
        let found = self.ask("/elements", &by).await?;
        Ok(found.as_array().is_some_and(|all| !all.is_empty()))
    }

    /// Does something with an element. The page may be just swapping its parts: then again.
    async fn with(&self, xpath: &str, what: &str, body: &Value) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let id = self.element(xpath).await?;
            match self.ask(&format!("/element/{id}/{what}"), body).await {
                Ok(_) => return Ok(()),
                Err(error) if start.elapsed() > PATIENCE => return Err(error),
                Err(_) => sleep(LOOK).await,
            }
        }
    }

    /// Clicks as a mouse does.
    pub(crate) async fn click(&self, xpath: &str) -> anyhow::Result<()> {
        self.with(xpath, "click", &json!({})).await
    }

    /// Types into a field, whatever stood there.
    pub(crate) async fn type_into(&self, xpath: &str, text: &str) -> anyhow::Result<()> {
        self.with(xpath, "clear", &json!({})).await?;
        self.with(xpath, "value", &json!({"text": text})).await
    }

    /// Keeps a picture of the whole page.
    pub(crate) async fn picture(&self, path: &Path) -> anyhow::Result<()> {
        let command = json!({"cmd": "Page.captureScreenshot",
            "params": {"format": "png", "captureBeyondViewport": true}});
        let taken = self.ask("/goog/cdp/execute", &command).await?;
        let data = taken["data"].as_str().context("no picture")?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, STANDARD.decode(data)?).with_context(|| path.display().to_string())
    }

    /// What the browser complained about since the last time, such as what the page's own policy
    /// (CSP) forbids it.
    pub(crate) async fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let log = self.ask("/se/log", &json!({"type": "browser"})).await?;
        let severe = |entry: &&Value| entry["level"] == "SEVERE";
        Ok(log
            .as_array()
            .into_iter()
            .flatten()
            .filter(severe)
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect())
    }
}
