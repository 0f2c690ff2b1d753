//! The running registry, as its owner sees it.

use std::future::IntoFuture as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::auth::Tokens;
use crate::behaviour::Behaviour;
use crate::image::{INDEX_TYPE, Image, MANIFEST_TYPE, index};
use crate::journal::{Entry, Journal};
use crate::serve;
use crate::store::{Manifest, Store, UnknownImage, digest_of};

/// What the handlers and the owner share.
pub(crate) struct Shared {
    pub(crate) host: String,
    pub(crate) behaviour: watch::Sender<Behaviour>,
    pub(crate) state: Mutex<State>,
}

/// Everything that changes while it runs. One lock: a request takes it for microseconds.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) tokens: Tokens,
    pub(crate) journal: Journal,
    /// The page of each repository's tag list that was asked last, from 1.
    pub(crate) page: std::collections::HashMap<String, usize>,
    pub(crate) manifest_gets: usize,
}

impl Shared {
    /// A panic in one handler must not hide the registry's state from the test that looks into it.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A registry on a loopback port. It stops when this is dropped.
pub struct Registry {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Registry {
    /// Starts an empty, healthy, open registry on a free loopback port.
    ///
    /// # Errors
    /// Where no loopback port can be opened.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// The same on this address, such as the one of a registry that was stopped before.
    ///
    /// # Errors
    /// Where the address cannot be opened.
    pub async fn start_on(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            host: address.to_string(),
            behaviour: watch::Sender::new(Behaviour::default()),
            state: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let serve = axum::serve(listener, serve::router(Arc::clone(&shared)))
            .with_graceful_shutdown(async {
                // Either way it ends: told to, or its owner is gone.
                let _ = stopped.await;
            });
        let server = tokio::spawn(async {
            // Ends only by the signal above: axum retries failed accepts by itself.
            let _ = serve.into_future().await;
        });
        Ok(Self {
            shared,
            address,
            stop: Some(stop),
            server,
        })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host as it stands in image names, such as `127.0.0.1:40123`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.shared.host
    }

    /// The full name of one of its repositories, such as `127.0.0.1:40123/shop/storefront`.
    #[must_use]
    pub fn repository(&self, name: &str) -> String {
        format!("{}/{name}", self.shared.host)
    }

    /// Stores an image whose only layer is `content`, under this tag. Answers its digest; the same
    /// content has the same digest.
    pub fn push(&self, repository: &str, tag: &str, content: &str) -> String {
        put_image(&mut self.shared.state().store, repository, tag, content).0
    }

    /// Stores an image index over one image per content, under this tag. Answers the index's digest.
    pub fn push_index(&self, repository: &str, tag: &str, contents: &[&str]) -> String {
        let store = &mut self.shared.state().store;
        let entries: Vec<_> = contents
            .iter()
            .map(|content| {
                let untagged = digest_of(&Image::of(content).manifest);
                put_image(store, repository, &untagged, content)
            })
            .collect();
        let manifest = Manifest {
            media_type: INDEX_TYPE.to_owned(),
            bytes: index(&entries),
        };
        store.insert_manifest(repository, tag, manifest)
    }

    /// Points a tag at an image that the repository holds already.
    ///
    /// # Errors
    /// Where the repository holds no manifest with this digest.
    pub fn retag(&self, repository: &str, tag: &str, digest: &str) -> Result<(), UnknownImage> {
        self.shared.state().store.retag(repository, tag, digest)
    }

    /// Removes a tag; its image stays. Answers whether there was one.
    pub fn delete_tag(&self, repository: &str, tag: &str) -> bool {
        self.shared.state().store.delete_tag(repository, tag)
    }

    /// Changes how it behaves, from the next request on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        self.shared.behaviour.send_modify(change);
    }

    /// Forgets every bearer token that it issued.
    pub fn revoke_tokens(&self) {
        self.shared.state().tokens.revoke();
    }

    /// The requests that were answered, oldest first; the newest 10,000.
    #[must_use]
    pub fn requests(&self) -> Vec<Entry> {
        self.shared.state().journal.entries()
    }

    /// Empties the list of requests.
    pub fn forget_requests(&self) {
        self.shared.state().journal.clear();
    }

    /// How many requests are open now.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.shared.state().journal.open
    }

    /// The most requests that were open at once since the list was emptied.
    #[must_use]
    pub fn most_open_requests(&self) -> usize {
        self.shared.state().journal.most_open
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // The signal closes idle connections; the abort frees the port at once. Held requests end.
        if let Some(stop) = self.stop.take() {
            let _gone = stop.send(());
        }
        self.behave(|behaviour| behaviour.hold = false);
        self.server.abort();
    }
}

/// Stores an image; answers the digest and the size of its manifest.
fn put_image(
    store: &mut Store,
    repository: &str,
    reference: &str,
    content: &str,
) -> (String, usize) {
    let image = Image::of(content);
    store.insert_blob(repository, image.layer);
    store.insert_blob(repository, image.config);
    let size = image.manifest.len();
    let manifest = Manifest {
        media_type: MANIFEST_TYPE.to_owned(),
        bytes: image.manifest,
    };
    (store.insert_manifest(repository, reference, manifest), size)
}
