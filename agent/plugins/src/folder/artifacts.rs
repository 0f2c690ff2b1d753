//! The folder's reader and components from a registry: what is there is loaded like a file, what is
//! not is waited for by somebody else.

use std::collections::BTreeSet;
use std::time::Duration;

use super::read::{Origin, Wanted};
use crate::artifact::fetch::{Delivery, Order};
use crate::artifact::store::Unstored;
use crate::card::Card;
use crate::host::Host;
use crate::load::Read;

/// The code of the card that says that the first answer is waited for.
pub(super) const PULLING: &str = "plugin/pulling";

impl Wanted {
    /// What has to be pulled for it.
    pub(super) fn order(&self) -> Option<&Order> {
        match &self.origin {
            Origin::Registry(order) => Some(order),
            Origin::Folder | Origin::Unruled(_) => None,
        }
    }
}

impl Host {
    /// Waits until everything that `plugins.yaml` names in registries was pulled or could not be, for
    /// so long at most, and reads the folder again. For whoever starts a host for one question: where
    /// the folder is watched, that happens by itself.
    pub async fn settle(&self, patience: Duration) {
        let mut news = self.inner.fetcher.news();
        let settled =
            async { while self.inner.fetcher.is_busy() && news.changed().await.is_ok() {} };
        // Whatever is not there in time is told by the problems.
        let _late = tokio::time::timeout(patience, settled).await;
        self.reload().await;
    }

    /// The bytes of a component, and what has to be said of it all the same.
    pub(super) async fn take(&self, wanted: &Wanted) -> Result<(Read, Vec<Card>), Card> {
        let order = match &wanted.origin {
            Origin::Folder => return Ok((self.read(&wanted.file).await?, Vec::new())),
            Origin::Unruled(card) => return Err(card.clone().within(&wanted.place)),
            Origin::Registry(order) => order,
        };
        let place = format!("{}.source.oci", wanted.place);
        let under_way = || {
            Card::new(PULLING, order.at.to_string())
                .at(&place)
                .because("it is being pulled")
                .change("wait for the registry")
        };
        let fetcher = &self.inner.fetcher;
        match fetcher.ask(order) {
            Delivery::UnderWay => Err(under_way()),
            Delivery::Failed(card) => Err(card.at(place)),
            Delivery::Ready { digest, warnings } => {
                let stored = match fetcher.store().cloned() {
                    Some(store) => tokio::task::spawn_blocking(move || store.read(&digest))
                        .await
                        .unwrap_or(Err(Unstored::Missing)),
                    None => Err(Unstored::Missing),
                };
                match stored {
                    Ok(read) => {
                        let place = format!("{}.verify", wanted.place);
                        let warnings = warnings.into_iter().map(|card| card.at(&place));
                        Ok((read, warnings.collect()))
                    }
                    Err(why) => {
                        tracing::warn!(
                            target: "sluice::plugin",
                            reference = %order.at,
                            ?why,
                            "a pulled plugin is not what was put into the cache folder; it is pulled again"
                        );
                        fetcher.ask_again(order);
                        Err(under_way())
                    }
                }
            }
        }
    }

    /// Removes from the cache folder what nothing names and nothing serves.
    pub(super) async fn tidy_artifacts(&self) {
        let fetcher = &self.inner.fetcher;
        // What is being pulled now has no name here yet.
        let Some(store) = fetcher.store().filter(|_| !fetcher.is_busy()).cloned() else {
            return;
        };
        let serving: BTreeSet<String> = self
            .catalog_now()
            .slots
            .values()
            .filter_map(|slot| Some(slot.serving.as_ref()?.digest.clone()))
            .chain(fetcher.delivered())
            .collect();
        let tidied = tokio::task::spawn_blocking(move || store.keep_only(&serving)).await;
        if let Err(error) = tidied {
            tracing::warn!(%error, "the cache folder of pulled plugins was not tidied");
        }
    }
}
