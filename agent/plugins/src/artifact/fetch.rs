//! Pulls what `plugins.yaml` names, beside the folder's reading: a registry that is slow or away holds
//! up nobody but the plugin that lies there.
//!
//! One task for each reference and rule. It asks for the manifest, then for the signatures, and only
//! then for the component. Trouble is tried again, more and more seldom; whatever it learns wakes the
//! folder's reader.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluice_core::hash::sha256_hex;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;

use super::store::Store;
use super::{ArtifactFault, ArtifactRef, ArtifactSource};
use crate::card::Card;
use crate::limits::MAX_COMPONENT_BYTES;
use crate::operator::{SignatureRule, VerifyMode};

/// Components that are read at once: each may take 32 MiB of memory. Questions about manifests and
/// signatures need no turn, so that a registry that hangs there holds up nobody.
const TURNS: usize = 2;
/// The longest that one pull may take with everything that belongs to it.
const PATIENCE: Duration = Duration::from_secs(180);
/// The pause after the first trouble; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause, but for one that the registry asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// One component that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) at: ArtifactRef,
    pub(crate) rule: SignatureRule,
}

impl Order {
    /// What tells it from another.
    fn key(&self) -> String {
        format!("{} {:?}", self.at, self.rule)
    }
}

/// What is known of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It is being pulled for the first time.
    UnderWay,
    /// Its component is in the store.
    Ready {
        /// The component's digest.
        digest: String,
        /// What has to be said of it all the same.
        warnings: Vec<Card>,
    },
    /// It could not be had. The newest reason.
    Failed(Card),
}

/// Everything that is being pulled or was.
pub(crate) struct Fetcher {
    source: Arc<dyn ArtifactSource>,
    store: Option<Arc<Store>>,
    turns: Arc<Semaphore>,
    news: watch::Sender<u64>,
    orders: Mutex<BTreeMap<String, Standing>>,
}

struct Standing {
    delivery: Arc<Mutex<Delivery>>,
    _task: Option<AbortOnDropHandle<()>>,
}

/// Why an attempt failed.
struct Trouble {
    card: Card,
    /// When to try again at the earliest; never, where that is pointless.
    again: Option<Duration>,
}

impl Trouble {
    fn of(fault: &ArtifactFault, at: &ArtifactRef) -> Trouble {
        let asked = match fault {
            ArtifactFault::Busy { seconds, .. } => Duration::from_secs(u64::from(*seconds)),
            _ => Duration::ZERO,
        };
        Trouble {
            card: fault.card(at),
            again: fault.may_pass().then_some(asked),
        }
    }
}

impl Fetcher {
    pub(crate) fn new(source: Arc<dyn ArtifactSource>, store: Option<Store>) -> Fetcher {
        Fetcher {
            source,
            store: store.map(Arc::new),
            turns: Arc::new(Semaphore::new(TURNS)),
            news: watch::Sender::new(0),
            orders: Mutex::default(),
        }
    }

    /// Changes with everything that is learned.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Where the components are.
    pub(crate) fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// Whether anything is being pulled for the first time.
    pub(crate) fn is_busy(&self) -> bool {
        let under_way = |standing: &Standing| *lock(&standing.delivery) == Delivery::UnderWay;
        lock(&self.orders).values().any(under_way)
    }

    /// What is known of an order. The first question starts the work. Must be called within a tokio
    /// runtime.
    pub(crate) fn ask(&self, order: &Order) -> Delivery {
        let mut orders = lock(&self.orders);
        let standing = orders
            .entry(order.key())
            .or_insert_with(|| self.start(order.clone()));
        lock(&standing.delivery).clone()
    }

    /// Begins anew: what was delivered is not in the store any more.
    pub(crate) fn ask_again(&self, order: &Order) -> Delivery {
        lock(&self.orders).remove(&order.key());
        self.ask(order)
    }

    /// Forgets every other order than these, and ends its work.
    pub(crate) fn keep_only(&self, wanted: &[Order]) {
        let keys: BTreeSet<String> = wanted.iter().map(Order::key).collect();
        lock(&self.orders).retain(|key, _| keys.contains(key));
    }

    /// The digests of what was delivered.
    pub(crate) fn delivered(&self) -> BTreeSet<String> {
        let digest = |standing: &Standing| match &*lock(&standing.delivery) {
            Delivery::Ready { digest, .. } => Some(digest.clone()),
            Delivery::UnderWay | Delivery::Failed(_) => None,
        };
        lock(&self.orders).values().filter_map(digest).collect()
    }

    fn start(&self, order: Order) -> Standing {
        let Some(store) = self.store.clone() else {
            let card = Card::new("plugin/no-cache", order.at.to_string())
                .because("this host has no cache folder, where what is pulled is kept")
                .change("give it one, or put the component into the plugins folder and write file");
            return Standing {
                delivery: Arc::new(Mutex::new(Delivery::Failed(card))),
                _task: None,
            };
        };
        let delivery = Arc::new(Mutex::new(Delivery::UnderWay));
        let work = Work {
            source: self.source.clone(),
            store,
            turns: self.turns.clone(),
            news: self.news.clone(),
            delivery: delivery.clone(),
            order,
        };
        Standing {
            delivery,
            _task: Some(AbortOnDropHandle::new(tokio::spawn(work.until_done()))),
        }
    }
}

/// The work on one order.
struct Work {
    source: Arc<dyn ArtifactSource>,
    store: Arc<Store>,
    turns: Arc<Semaphore>,
    news: watch::Sender<u64>,
    delivery: Arc<Mutex<Delivery>>,
    order: Order,
}

impl Work {
    async fn until_done(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = tokio::time::timeout(PATIENCE, self.attempt()).await;
            let trouble = match attempt {
                Ok(Ok(ready)) => {
                    self.tell(ready);
                    return;
                }
                Ok(Err(trouble)) => trouble,
                Err(_) => {
                    let words = format!("no whole answer within {} s", PATIENCE.as_secs());
                    Trouble::of(&ArtifactFault::Away(words), &self.order.at)
                }
            };
            self.tell(Delivery::Failed(trouble.card));
            let Some(asked) = trouble.again else {
                return;
            };
            tokio::time::sleep(self.jittered(pause.max(asked))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn tell(&self, delivery: Delivery) {
        *lock(&self.delivery) = delivery;
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Up to a quarter longer, by the reference: plugins of one registry do not all come back at once.
    fn jittered(&self, pause: Duration) -> Duration {
        let sum: u32 = self.order.at.digest.bytes().map(u32::from).sum();
        pause + pause * (sum % 64) / 256
    }

    async fn attempt(&self) -> Result<Delivery, Trouble> {
        let at = &self.order.at;
        let trouble = |fault: ArtifactFault| Trouble::of(&fault, at);
        let layer = self
            .source
            .layer(at, MAX_COMPONENT_BYTES)
            .await
            .map_err(trouble)?;
        let warnings = self.signatures().await?;
        let (store, digest) = (self.store.clone(), layer.digest.clone());
        let stored = tokio::task::spawn_blocking(move || store.read(&digest).is_ok()).await;
        if !stored.unwrap_or(false) {
            let ended = |_| ArtifactFault::Away("the host ends".to_owned());
            let turn = self.turns.acquire().await.map_err(ended).map_err(trouble)?;
            let bytes = self.source.component(at, &layer).await.map_err(trouble)?;
            let (store, digest) = (self.store.clone(), layer.digest.clone());
            let written = tokio::task::spawn_blocking(move || {
                // The source said so; here it is made sure of.
                let actual = format!("sha256:{}", sha256_hex(&bytes));
                if actual != digest {
                    let words = format!("the component has the digest {actual}, not {digest}");
                    return Err(ArtifactFault::Tampered(words));
                }
                store.write(&digest, &bytes).map_err(|error| {
                    let words = format!("the cache folder cannot be written: {}", error.kind());
                    ArtifactFault::Away(words)
                })
            });
            let interrupted = |_| Err(ArtifactFault::Away("keeping it was interrupted".to_owned()));
            written.await.unwrap_or_else(interrupted).map_err(trouble)?;
            drop(turn);
        }
        Ok(Delivery::Ready {
            digest: layer.digest,
            warnings,
        })
    }

    /// What has to be said about signatures of a component that may serve.
    async fn signatures(&self) -> Result<Vec<Card>, Trouble> {
        let Order { at, rule } = &self.order;
        let card = |code: &str| Card::new(code, at.to_string());
        if rule.mode == VerifyMode::Off {
            let card = card("plugin/signature-off")
                .effect("serves, and nobody looked at who made it")
                .because("verify.mode is off")
                .change("name who signs it under verify, and take mode: off away");
            return Ok(vec![card]);
        }
        let refused = match self.source.signed_by(at, &rule.signers).await {
            Ok(found) => match rule.judge(&found) {
                Ok(()) => return Ok(Vec::new()),
                Err(missing) => Trouble {
                    card: card("plugin/not-signed").because_of(missing).change(
                        "have it signed, with cosign or sluice plugin sign, or correct verify; it is \
                         looked at again by itself",
                    ),
                    again: Some(Duration::ZERO),
                },
            },
            Err(fault) => Trouble::of(&fault, at),
        };
        match rule.mode {
            VerifyMode::Warn => {
                Ok(vec![refused.card.effect(
                    "serves all the same, because verify.mode is warn",
                )])
            }
            VerifyMode::Enforce | VerifyMode::Off => Err(refused),
        }
    }
}

/// The values behind these locks are valid after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
