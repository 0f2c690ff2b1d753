//! The weights of routes and Ingresses over time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::timeline::{Book, Weights, copy, push};

/// Weight by the name of a Service.
pub(crate) type WeightOf = BTreeMap<String, i64>;

/// The weights of one namespace's routes and Ingresses, as they were written or as they are served.
#[derive(Debug, Default)]
pub(crate) struct Entrances {
    /// By namespace, route and rule: its name, and its index as text.
    routes: Book<(String, String, String), Weights>,
    ingresses: Book<(String, String), Weights>,
}

impl Entrances {
    /// Notes the weights of all rules of a route, each by its index and its name. Rules that are not
    /// among them have none any more.
    pub(crate) fn note_route(
        &mut self,
        namespace: &str,
        route: &str,
        rules: &BTreeMap<String, WeightOf>,
        at: Timestamp,
    ) {
        let seen = self
            .routes
            .keys()
            .filter(|(in_namespace, of, _)| in_namespace == namespace && of == route)
            .map(|(_, _, rule)| rule);
        let gone: Vec<String> = seen
            .filter(|rule| !rules.contains_key(*rule))
            .cloned()
            .collect();
        let none = WeightOf::new();
        let gone = gone.iter().map(|rule| (rule, &none));
        for (rule, weights) in rules.iter().chain(gone) {
            let key = (namespace.to_owned(), route.to_owned(), rule.clone());
            note(&mut self.routes, key, weights, at);
        }
    }

    /// Notes the weights of all Ingresses of a namespace that are no canaries.
    pub(crate) fn note_ingresses(
        &mut self,
        namespace: &str,
        ingresses: &BTreeMap<String, WeightOf>,
        at: Timestamp,
    ) {
        let seen = self.ingresses.keys();
        let gone: Vec<String> = seen
            .filter(|(seen_in, name)| seen_in == namespace && !ingresses.contains_key(name))
            .map(|(_, name)| name.clone())
            .collect();
        let none = WeightOf::new();
        let gone = gone.iter().map(|name| (name, &none));
        for (name, weights) in ingresses.iter().chain(gone) {
            let key = (namespace.to_owned(), name.clone());
            note(&mut self.ingresses, key, weights, at);
        }
    }

    pub(crate) fn route(&self, namespace: &str, route: &str, rule: &str) -> Vec<Weights> {
        let rule = if rule.is_empty() { "0" } else { rule };
        let key = (namespace.to_owned(), route.to_owned(), rule.to_owned());
        copy(&self.routes, &key)
    }

    pub(crate) fn ingress(&self, namespace: &str, ingress: &str) -> Vec<Weights> {
        copy(&self.ingresses, &(namespace.to_owned(), ingress.to_owned()))
    }
}

fn note<K: Ord>(book: &mut Book<K, Weights>, key: K, weights: &WeightOf, at: Timestamp) {
    let samples = book.entry(key).or_default();
    if samples.back().is_none_or(|last| last.weights != *weights) {
        let weights = weights.clone();
        push(samples, Weights { at, weights });
    }
}
