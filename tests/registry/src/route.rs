//! Which resource a path names. Repository names contain slashes, so the path is read from its end.

/// A resource of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Ping,
    Token,
    Tags {
        repository: &'a str,
    },
    Manifest {
        repository: &'a str,
        reference: &'a str,
    },
    Blob {
        repository: &'a str,
        digest: &'a str,
    },
    Referrers {
        repository: &'a str,
        digest: &'a str,
    },
    BeginUpload {
        repository: &'a str,
    },
    Upload {
        repository: &'a str,
        upload: u64,
    },
}

impl<'a> Route<'a> {
    /// The resource that `path` names, if any.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        if path == "/token" {
            return Some(Self::Token);
        }
        let rest = path.strip_prefix("/v2/")?;
        if rest.is_empty() {
            return Some(Self::Ping);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            return Some(Self::Tags { repository });
        }
        if let Some(repository) = rest.strip_suffix("/blobs/uploads") {
            return Some(Self::BeginUpload { repository });
        }
        let (before, last) = rest.rsplit_once('/')?;
        if let Some(repository) = before.strip_suffix("/blobs/uploads") {
            return Some(Self::Upload {
                repository,
                upload: last.parse().ok()?,
            });
        }
        if let Some(repository) = before.strip_suffix("/blobs") {
            return Some(Self::Blob {
                repository,
                digest: last,
            });
        }
        if let Some(repository) = before.strip_suffix("/referrers") {
            return Some(Self::Referrers {
                repository,
                digest: last,
            });
        }
        before
            .strip_suffix("/manifests")
            .map(|repository| Self::Manifest {
                repository,
                reference: last,
            })
    }

    /// The repository it belongs to; `/v2/` and `/token` belong to none.
    pub(crate) fn repository(self) -> Option<&'a str> {
        match self {
            Self::Ping | Self::Token => None,
            Self::Tags { repository }
            | Self::Manifest { repository, .. }
            | Self::Blob { repository, .. }
            | Self::Referrers { repository, .. }
            | Self::BeginUpload { repository }
            | Self::Upload { repository, .. } => Some(repository),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Route;

    #[test]
    fn paths_name_resources() {
        assert_eq!(Route::of("/v2/"), Some(Route::Ping));
        assert_eq!(Route::of("/token"), Some(Route::Token));
        let repository = "shop/tags/list/x";
        assert_eq!(
            Route::of("/v2/shop/tags/list/x/tags/list"),
            Some(Route::Tags { repository })
        );
        assert_eq!(
            Route::of("/v2/shop/a/manifests/v1"),
            Some(Route::Manifest {
                repository: "shop/a",
                reference: "v1"
            })
        );
        assert_eq!(
            Route::of("/v2/a/blobs/sha256:00"),
            Some(Route::Blob {
                repository: "a",
                digest: "sha256:00"
            })
        );
        assert_eq!(
            Route::of("/v2/a/referrers/sha256:00"),
            Some(Route::Referrers {
                repository: "a",
                digest: "sha256:00"
            })
        );
        assert_eq!(
            Route::of("/v2/a/blobs/uploads/"),
            Some(Route::BeginUpload { repository: "a" })
        );
        assert_eq!(
            Route::of("/v2/a/blobs/uploads/7"),
            Some(Route::Upload {
                repository: "a",
                upload: 7
            })
        );
        for unknown in ["/", "/v1/", "/v2/a", "/v2/a/b/c", "/v2/a/blobs/uploads/x"] {
            assert_eq!(Route::of(unknown), None, "{unknown}");
        }
    }
}
