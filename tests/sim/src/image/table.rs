//! The table of images, by repository and digest, with tags that point at digests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::image::Behaviour;

/// The table of images; a handle that may be cloned. An image that is not in it cannot be pulled.
#[derive(Clone, Debug, Default)]
pub struct Images {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    behaviours: BTreeMap<(String, String), Arc<Behaviour>>,
    tags: BTreeMap<(String, String), String>,
    pulled: VecDeque<String>,
}

/// How many pulls are remembered.
const PULLS: usize = 10_000;

impl Images {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or replaces an image, for pods that already run it too. `digest` is `sha256:…`.
    pub fn set(&self, repository: &str, digest: &str, behaviour: Behaviour) {
        let key = (repository.to_owned(), digest.to_owned());
        self.lock().behaviours.insert(key, Arc::new(behaviour));
    }

    /// Points a tag at a digest.
    pub fn tag(&self, repository: &str, tag: &str, digest: &str) {
        self.lock()
            .tags
            .insert((repository.to_owned(), tag.to_owned()), digest.to_owned());
    }

    /// Takes an image away: new pods of it cannot start.
    pub fn remove(&self, repository: &str, digest: &str) {
        self.lock()
            .behaviours
            .remove(&(repository.to_owned(), digest.to_owned()));
    }

    /// The image references that kubelets pulled, oldest first.
    pub fn pulled(&self) -> Vec<String> {
        self.lock().pulled.iter().cloned().collect()
    }

    /// Pulls an image as a kubelet does: `(imageID, behaviour)`, or nothing if there is no such.
    pub(crate) fn pull(&self, reference: &str) -> Option<(String, Arc<Behaviour>)> {
        let mut table = self.lock();
        let (repository, tag, digest) = split(reference);
        let digest = match digest {
            Some(digest) => digest.to_owned(),
            None => table
                .tags
                .get(&(repository.to_owned(), tag.to_owned()))?
                .clone(),
        };
        let behaviour = table
            .behaviours
            .get(&(repository.to_owned(), digest.clone()))
            .map(Arc::clone)?;
        if table.pulled.len() == PULLS {
            table.pulled.pop_front();
        }
        table.pulled.push_back(reference.to_owned());
        Some((format!("{repository}@{digest}"), behaviour))
    }

    /// The behaviour of a running `imageID` as the table has it now.
    pub(crate) fn behaviour(&self, image_id: &str) -> Option<Arc<Behaviour>> {
        let (repository, digest) = image_id.split_once('@')?;
        self.lock()
            .behaviours
            .get(&(repository.to_owned(), digest.to_owned()))
            .map(Arc::clone)
    }
}

/// Splits a reference into repository, tag (`latest` by default) and digest.
fn split(reference: &str) -> (&str, &str, Option<&str>) {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (reference, None),
    };
    let path_start = rest.rfind('/').map_or(0, |slash| slash + 1);
    match rest.get(path_start..).and_then(|last| last.find(':')) {
        Some(colon) => {
            let colon = path_start + colon;
            (
                rest.get(..colon).unwrap_or_default(),
                rest.get(colon + 1..).unwrap_or_default(),
                digest,
            )
        }
        None => (rest, "latest", digest),
    }
}

#[cfg(test)]
mod tests {
    use super::{Images, split};
    use crate::image::Behaviour;

    #[test]
    fn references_split_at_the_right_colon() {
        let host = "127.0.0.1:5000/shop/web";
        assert_eq!(split("127.0.0.1:5000/shop/web:v1"), (host, "v1", None));
        assert_eq!(split("127.0.0.1:5000/shop/web"), (host, "latest", None));
        assert_eq!(
            split("127.0.0.1:5000/shop/web:v1@sha256:a"),
            (host, "v1", Some("sha256:a"))
        );
        assert_eq!(split("web"), ("web", "latest", None));
    }

    #[test]
    fn only_known_images_can_be_pulled() {
        let images = Images::default();
        images.set("r/web", "sha256:a", Behaviour::serving("v1"));
        images.tag("r/web", "v1", "sha256:a");
        images.tag("r/web", "v2", "sha256:b");
        assert_eq!(images.pull("r/web:v1").unwrap().0, "r/web@sha256:a");
        assert_eq!(
            images.pull("r/web:v9@sha256:a").unwrap().0,
            "r/web@sha256:a"
        );
        assert!(
            images.pull("r/web:v2").is_none(),
            "a tag whose image is missing"
        );
        assert!(images.pull("r/web:v3").is_none());
        assert_eq!(images.pulled(), ["r/web:v1", "r/web:v9@sha256:a"]);
    }
}
