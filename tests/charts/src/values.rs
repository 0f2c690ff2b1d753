//! What the chart does not understand, it refuses, and says what to do.

use crate::tools::{template, tool};

#[test]
fn an_unknown_value_is_refused_on_every_level() {
    let Some(helm) = tool("helm") else { return };
    for set in [
        "replica=2",
        "image.repo=x",
        "records.persistance.enabled=false",
        "records.persistence.sizes=1Gi",
        "web.service.ports=1",
        "policy.text=x",
        "plugins.folder=x",
        "networkPolicy.dns.pods=x",
        "networkPolicy.apiServer.cidr=x",
        "metrics.serviceMonitor.on=true",
        "lease.nam=x",
        "log.levels=x",
        "serviceAccount.make=true",
        "podDisruptionBudget.on=true",
        "registry.existing=x",
        "targets.feature=x",
        "targets.features.statefulsets=true",
    ] {
        let said = template(&helm, "sluice", &["--set", set]).unwrap_err();
        assert!(said.contains("additional properties"), "{set}: {said}");
    }
    let said = template(&helm, "sluice-crds", &["--set", "a=b"]).unwrap_err();
    assert!(said.contains("additional properties"), "{said}");
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    let Some(helm) = tool("helm") else { return };
    for (set, part) in [
        ("replicas=-1", "replicas"),
        ("image.digest=latest", "digest"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("targetNamespaces=shop", "targetNamespaces"),
        ("targetNamespaces={Shop}", "targetNamespaces"),
        ("denyAddresses={here}", "denyAddresses"),
        ("log.format=xml", "format"),
        ("targets.features.hooks=yes", "hooks"),
        ("records.persistence.accessModes={Any}", "accessModes"),
    ] {
        let said = template(&helm, "sluice", &["--set", set]).unwrap_err();
        assert!(said.contains(part), "{set}: {said}");
    }
}

#[test]
fn nonsense_is_refused_with_what_to_do() {
    let Some(helm) = tool("helm") else { return };
    for (sets, part) in [
        (&["replicas=2"][..], "Set accessModes to [ReadWriteMany]"),
        (
            &["policy.config=a: b", "policy.existingConfigMap=x"],
            "Remove one of them",
        ),
        (
            &["registry.config.hosts.a=b", "registry.existingSecret=x"],
            "Remove one of them",
        ),
        (&["serviceAccount.create=false"], "Name your account"),
        (
            &["serviceAccount.create=false", "serviceAccount.name=default"],
            "an account of its own",
        ),
        (&["targetNamespaces={kube-system}"], "what runs the cluster"),
        (&["web.enabled=true"], "name at least one host"),
        (
            &[
                "targets.features.httpRoutes=true",
                "targets.features.services=false",
            ],
            "Set targets.features.services to true",
        ),
        (
            &[
                "targets.features.secrets=true",
                "targetNamespaces={shop}",
                "pipelinesNamespace=shop",
            ],
            "Use another namespace",
        ),
        (
            &[
                "targets.features.secrets=true",
                "targetNamespaces={delivery}",
                "pipelinesNamespace=p",
            ],
            "a namespace of its own",
        ),
        (
            &["plugins.secrets={slack,ci}", "web.secrets={slack}"],
            "a Secret of its own",
        ),
    ] {
        let args: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let said = template(&helm, "sluice", &args).unwrap_err();
        assert!(said.contains(part), "{sets:?}: {said}");
    }
}
