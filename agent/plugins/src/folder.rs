//! The plugins folder: read as a whole, compared by digest, swapped as a whole (plugins.md section 7).
//!
//! Whatever goes wrong with a file or with `plugins.yaml`, what served before keeps serving, with the
//! card as its condition. Two things do take effect at once: a grant that became smaller, even for
//! calls that are running, and a file that is gone.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use sluice_core::plugin::SettingsIssue;

use crate::artifact::fetch::Order;
use crate::card::Card;
use crate::grant::{Outcome, PermissionCell, Permissions, permissions};
use crate::host::{Catalog, Host, Serving, Slot};
use crate::load::{self, Read, consequence, short};
use crate::manifest::Manifest;
use crate::operator::{FILE_NAME, PluginEntry};
use crate::world::Reply;

mod artifacts;
mod folders;
mod read;
mod watch;

pub use folders::Folders;
pub use watch::PluginFolder;

use read::{Wanted, read_folder};

/// What the reader of the folder remembers.
#[derive(Default)]
pub(crate) struct Reading {
    /// Once there was a `plugins.yaml`, its absence is a fault, not a return to bare loading.
    had_file: bool,
}

impl Host {
    /// Reads the folder now and swaps what changed. Returns what is wrong with it.
    pub async fn reload(&self) -> Vec<Card> {
        let mut reading = self.inner.reading.lock().await;
        let before = self.catalog_now();
        let folder = self.inner.folder.clone();
        let known: BTreeMap<String, String> = before
            .slots
            .iter()
            .map(|(name, slot)| (slot.file.clone(), name.clone()))
            .collect();
        let had_file = reading.had_file;
        let wanted =
            tokio::task::spawn_blocking(move || read_folder(&folder, had_file, &known)).await;
        let (wanted, has_file) = match wanted {
            Ok(Ok(wanted)) => wanted,
            Ok(Err(card)) => return self.keep_all(&before, card),
            Err(_) => {
                let card = Card::new("plugin/host", "the plugins folder")
                    .because("reading it was interrupted")
                    .change("look at the agent's log");
                return self.keep_all(&before, card);
            }
        };
        reading.had_file = has_file;
        let orders: Vec<Order> = wanted.iter().filter_map(Wanted::order).cloned().collect();
        self.inner.fetcher.keep_only(&orders);
        let mut slots = BTreeMap::new();
        let mut twice = None;
        for wanted in wanted {
            let name = wanted.entry.name.clone();
            if let Some(file) = slots.get(&name).map(|slot: &Arc<Slot>| slot.file.clone()) {
                twice = Some(
                    Card::new("plugin/name-taken", &wanted.file)
                        .at(self.inner.folder.to_string())
                        .because(format!("{file} is called \"{name}\" too"))
                        .change(format!("remove one, or name both in {FILE_NAME}")),
                );
                continue;
            }
            let slot = self.refresh(before.slots.get(&name).cloned(), wanted).await;
            slots.insert(name, slot);
        }
        for (name, slot) in &before.slots {
            if !slots.contains_key(name) {
                revoke(slot);
            }
        }
        self.swap(Catalog {
            slots,
            config: twice,
        });
        self.tidy_artifacts().await;
        self.problems()
    }

    fn keep_all(&self, before: &Catalog, card: Card) -> Vec<Card> {
        let effect = match before.slots.is_empty() {
            true => "cannot be used; no plugin serves",
            false => "cannot be used; the plugins keep serving as before",
        };
        let config = Some(card.effect(effect));
        self.swap(Catalog {
            slots: before.slots.clone(),
            config,
        });
        self.problems()
    }

    /// Replaces the catalog and logs what is newly wrong; the same complaint is logged once, not at
    /// every poll.
    fn swap(&self, catalog: Catalog) {
        let before = self.catalog_now();
        if let Some(card) = catalog
            .config
            .as_ref()
            .filter(|card| before.config.as_ref() != Some(card))
        {
            tracing::warn!(target: "sluice::plugin", card = %card, "plugins folder");
        }
        for (name, slot) in &catalog.slots {
            let known = before.slots.get(name).map(|slot| slot.problems.as_slice());
            let new = |card: &&Card| !known.is_some_and(|known| known.contains(card));
            // That something is being pulled is no trouble; what comes of it is told.
            let trouble = |card: &&Card| card.code != artifacts::PULLING;
            for card in slot.problems.iter().filter(trouble).filter(new) {
                tracing::warn!(target: "sluice::plugin", card = %card, "plugin");
            }
        }
        *self
            .inner
            .catalog
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
    }

    /// Brings one name up to date.
    async fn refresh(&self, before: Option<Arc<Slot>>, wanted: Wanted) -> Arc<Slot> {
        let serving = before.as_ref().and_then(|slot| slot.serving.clone());
        let taken = self.take(&wanted).await;
        let Wanted {
            entry, file, place, ..
        } = wanted;
        let (read, warnings) = match taken {
            Ok(taken) => taken,
            Err(card) if card.code == "plugin/file-missing" => {
                // Gone on purpose: running calls end, new ones learn that it is missing.
                if let Some(slot) = &before {
                    revoke(slot);
                }
                return failed(None, None, &entry, file, vec![card], None);
            }
            Err(card) => {
                narrow(serving.as_deref(), &entry, self.inner.allow_loopback);
                return failed(serving, None, &entry, file, vec![card], None);
            }
        };
        let fingerprint = serde_json::json!([entry, warnings]);
        let attempt = Some((read.digest.clone(), fingerprint));
        if let Some(slot) = before.filter(|slot| slot.attempt == attempt && slot.file == file) {
            return slot;
        }
        let same = serving
            .clone()
            .filter(|serving| serving.digest == read.digest);
        if let Some(pin) = entry
            .verify
            .as_ref()
            .and_then(|verify| verify.sha256.as_ref())
            && read.digest != format!("sha256:{pin}")
        {
            narrow(serving.as_deref(), &entry, self.inner.allow_loopback);
            let card = Card::new("plugin/digest-mismatch", &file)
                .at(format!("{place}.verify.sha256"))
                .because(format!(
                    "the file is {}, the pin says sha256:{pin}",
                    read.digest
                ))
                .change("put the pinned file there, or pin the new one after looking at it");
            return failed(serving, None, &entry, file, vec![card], attempt);
        }
        let slot = match same {
            Some(same) => self.regrant(&same, entry, file, &place, attempt).await,
            None => {
                narrow(serving.as_deref(), &entry, self.inner.allow_loopback);
                self.load(serving, entry, file, &place, read, attempt).await
            }
        };
        slot.with_warnings(warnings)
    }

    async fn read(&self, file: &str) -> Result<Read, Card> {
        let (folder, name) = (self.inner.folder.holding(file).to_owned(), file.to_owned());
        let read = tokio::task::spawn_blocking(move || load::read(&folder, &name)).await;
        read.unwrap_or_else(|_| {
            Err(Card::new("plugin/unreadable", file)
                .because("reading it was interrupted")
                .change("copy it again"))
        })
    }

    /// The same component under other grants or settings.
    async fn regrant(
        &self,
        same: &Arc<Serving>,
        entry: PluginEntry,
        file: String,
        place: &str,
        attempt: Option<(String, serde_json::Value)>,
    ) -> Arc<Slot> {
        let Outcome {
            permissions,
            missing,
            smaller,
        } = permissions(&same.manifest, &entry, place, self.inner.allow_loopback);
        same.permissions.set(permissions);
        if !missing.is_empty() {
            let effect = "keeps serving with what is still granted";
            let problems = missing
                .into_iter()
                .map(|card| card.effect(effect))
                .collect();
            return Arc::new(Slot {
                file,
                serving: Some(same.clone()),
                problems,
                attempt,
            });
        }
        let changed = Arc::new(same.with_settings(entry.settings.clone()));
        match self.settings_problem(&changed, place).await {
            None => {
                let problems = smaller.into_iter().collect();
                Arc::new(Slot {
                    file,
                    serving: Some(changed),
                    problems,
                    attempt,
                })
            }
            Some(card) => {
                let problems = vec![card.effect("keeps serving with its earlier settings")];
                Arc::new(Slot {
                    file,
                    serving: Some(same.clone()),
                    problems,
                    attempt,
                })
            }
        }
    }

    /// A component that was not there before.
    async fn load(
        &self,
        serving: Option<Arc<Serving>>,
        entry: PluginEntry,
        file: String,
        place: &str,
        read: Read,
        attempt: Option<(String, serde_json::Value)>,
    ) -> Arc<Slot> {
        let loader = &self.inner.loader;
        let digest = read.digest.clone();
        let read = Arc::new(read);
        let examined = match load::examined(&read, &file).await {
            Ok(examined) => examined,
            Err(card) => return failed(serving, None, &entry, file, vec![card], attempt),
        };
        let manifest = examined.manifest;
        let in_operator_file = format!("{place}; {}", short(&digest));
        let outcome = permissions(
            &manifest,
            &entry,
            &in_operator_file,
            self.inner.allow_loopback,
        );
        // What does not fit and what is not granted, in one report: who repairs the one needs the other.
        let gaps = [examined.misfits, outcome.missing].concat();
        if !gaps.is_empty() {
            return failed(serving, Some(&manifest), &entry, file, gaps, attempt);
        }
        let limits = outcome.permissions.limits;
        let program = match loader.program(&read, &manifest, &file, &limits).await {
            Ok(program) => program,
            Err(unloaded) => {
                // Without a note of the attempt, the next poll asks again.
                let attempt = attempt.filter(|_| !unloaded.may_pass);
                let cards = vec![unloaded.card];
                return failed(serving, Some(&manifest), &entry, file, cards, attempt);
            }
        };
        drop(read);
        let fresh = Serving::new(
            &entry.name,
            manifest,
            digest,
            program,
            PermissionCell::new(outcome.permissions),
            entry.settings.clone(),
        );
        if let Some(card) = self.settings_problem(&fresh, place).await {
            return failed(
                serving,
                Some(&fresh.manifest),
                &entry,
                file,
                vec![card],
                attempt,
            );
        }
        tracing::info!(
            target: "sluice::plugin",
            name = %fresh.name,
            version = %fresh.manifest.plugin.version,
            digest = %fresh.digest,
            "plugin serves"
        );
        let problems = outcome.smaller.into_iter().collect();
        Arc::new(Slot {
            file,
            serving: Some(Arc::new(fresh)),
            problems,
            attempt,
        })
    }

    /// Asks a plugin whether the operator's settings will do. Without settings there is nothing to
    /// ask: what is required comes with each use.
    async fn settings_problem(&self, serving: &Serving, place: &str) -> Option<Card> {
        let settings = serving.settings.as_ref()?;
        let card =
            |code| Card::new(code, serving.manifest.subject()).at(format!("{place}.settings"));
        match self.validate(serving, settings).await {
            Ok(Reply::Settings(issues)) if issues.is_empty() => None,
            Ok(Reply::Settings(issues)) => Some(
                card("plugin/settings-invalid")
                    .because_of(issues.iter().map(issue_text))
                    .change("correct the settings"),
            ),
            Ok(
                Reply::Report(_)
                | Reply::Measurement(_)
                | Reply::Plan(_)
                | Reply::Judgement(_)
                | Reply::Notified(_)
                | Reply::Approval(_),
            ) => None,
            Err(fault) => Some(
                card("plugin/settings-unchecked")
                    .because(fault.message)
                    .change("repair the plugin, or put the version before it back"),
            ),
        }
    }
}

fn issue_text(issue: &SettingsIssue) -> String {
    let hint = issue
        .hint
        .as_ref()
        .map(|hint| format!(" ({hint})"))
        .unwrap_or_default();
    let at = if issue.pointer.is_empty() {
        "/"
    } else {
        &issue.pointer
    };
    format!("{at}: {}{hint}", issue.message)
}

impl Slot {
    /// The same with more to say of what serves.
    fn with_warnings(self: Arc<Self>, warnings: Vec<Card>) -> Arc<Slot> {
        if warnings.is_empty() || self.serving.is_none() {
            return self;
        }
        Arc::new(Slot {
            file: self.file.clone(),
            serving: self.serving.clone(),
            problems: warnings.into_iter().chain(self.problems.clone()).collect(),
            attempt: self.attempt.clone(),
        })
    }
}

/// A slot whose newest attempt failed; the older version, if any, keeps serving.
fn failed(
    serving: Option<Arc<Serving>>,
    manifest: Option<&Manifest>,
    entry: &PluginEntry,
    file: String,
    cards: Vec<Card>,
    attempt: Option<(String, serde_json::Value)>,
) -> Arc<Slot> {
    let follows = match &serving {
        Some(old) => format!("{} keeps serving", old.manifest.subject()),
        None => consequence(manifest.map(|manifest| manifest.plugin.kind), &entry.name),
    };
    let problems: Vec<Card> = cards
        .into_iter()
        .map(|card| {
            let card = match card.place.is_empty() {
                true => card.at(&file),
                false => card,
            };
            card.effect(format!("was not loaded; {follows}"))
        })
        .collect();
    Arc::new(Slot {
        file,
        serving,
        problems,
        attempt,
    })
}

/// A smaller grant holds at once for the version that serves, whatever becomes of the new one.
fn narrow(serving: Option<&Serving>, entry: &PluginEntry, allow_loopback: bool) {
    if let Some(serving) = serving {
        let outcome = permissions(&serving.manifest, entry, "", allow_loopback);
        serving.permissions.set(outcome.permissions);
    }
}

/// Running calls of a plugin that is gone lose the network.
fn revoke(slot: &Slot) {
    if let Some(serving) = &slot.serving {
        let limits = serving.permissions.now().limits;
        serving.permissions.set(Permissions {
            limits,
            ..Permissions::default()
        });
    }
}
