//! What was counted, by mark: a test names each phase of its story.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ask::Failure;

/// Phases of a story; one more than this is refused.
const MARKS: usize = 1_000;
/// Failures that are kept with their text.
const FAILURES: usize = 20;
/// Different versions or kinds of failures in one bucket; the rest is counted as `other`.
const NAMES: usize = 100;

/// All counts; shared between the client and its control door.
#[derive(Debug)]
pub struct Counts {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    marks: Vec<(String, Timestamp, Bucket)>,
    second: Bucket,
    failures: Vec<Value>,
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    sent: u64,
    ok: u64,
    failed: u64,
    skipped: u64,
    by_version: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
}

impl Bucket {
    fn answered(&mut self, answer: &Result<String, Failure>) {
        let (number, names, name) = match answer {
            Ok(version) => (&mut self.ok, &mut self.by_version, version.as_str()),
            Err(failure) => (&mut self.failed, &mut self.errors, failure.kind.as_str()),
        };
        *number += 1;
        let known = names.contains_key(name) || names.len() < NAMES;
        let name = if known { name } else { "other" };
        *names.entry(name.to_owned()).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.ok += other.ok;
        self.failed += other.failed;
        self.skipped += other.skipped;
        for (into, from) in [
            (&mut self.by_version, &other.by_version),
            (&mut self.errors, &other.errors),
        ] {
            for (name, number) in from {
                *into.entry(name.clone()).or_default() += number;
            }
        }
    }

    fn document(&self) -> Value {
        json!({
            "sent": self.sent, "ok": self.ok, "failed": self.failed, "skipped": self.skipped,
            "by_version": self.by_version, "errors": self.errors,
        })
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                marks: vec![("start".to_owned(), Timestamp::now(), Bucket::default())],
                second: Bucket::default(),
                failures: Vec::new(),
            }),
        }
    }
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request goes out; answers which mark it belongs to.
    pub(crate) fn sent(&self) -> usize {
        let mut inner = self.lock();
        inner.second.sent += 1;
        let mark = inner.marks.len() - 1;
        if let Some((_, _, bucket)) = inner.marks.last_mut() {
            bucket.sent += 1;
        }
        mark
    }

    /// A request that was not sent, because this client was too slow.
    pub(crate) fn skip(&self) {
        let mut inner = self.lock();
        inner.second.skipped += 1;
        if let Some((_, _, bucket)) = inner.marks.last_mut() {
            bucket.skipped += 1;
        }
    }

    /// Its answer counts for the mark under which it was sent.
    pub(crate) fn answered(&self, mark: usize, answer: Result<String, Failure>) {
        let mut inner = self.lock();
        inner.second.answered(&answer);
        let mut name = String::new();
        if let Some((known, _, bucket)) = inner.marks.get_mut(mark) {
            bucket.answered(&answer);
            name.clone_from(known);
        }
        if let Err(failure) = answer
            && inner.failures.len() < FAILURES
        {
            inner.failures.push(json!({
                "at": Timestamp::now().to_string(), "mark": name,
                "kind": failure.kind, "text": failure.text,
            }));
        }
    }

    /// Requests count for another phase from now on. False: there are too many.
    #[must_use]
    pub fn mark(&self, name: &str) -> bool {
        let mut inner = self.lock();
        let fits = inner.marks.len() < MARKS;
        if fits {
            let entry = (name.to_owned(), Timestamp::now(), Bucket::default());
            inner.marks.push(entry);
        }
        fits
    }

    /// Since the last call.
    pub(crate) fn second(&self) -> Value {
        let second = std::mem::take(&mut self.lock().second);
        let mut document = second.document();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("at".to_owned(), json!(Timestamp::now().to_string()));
        }
        document
    }

    /// `{sent, ok, failed, skipped, by_version, errors, marks: [{name, from, …}], failures: […]}`.
    pub fn totals(&self) -> Value {
        let inner = self.lock();
        let mut all = Bucket::default();
        let mut marks = Vec::new();
        for (name, from, bucket) in &inner.marks {
            all.add(bucket);
            let mut document = bucket.document();
            if let Some(fields) = document.as_object_mut() {
                fields.insert("name".to_owned(), json!(name));
                fields.insert("from".to_owned(), json!(from.to_string()));
            }
            marks.push(document);
        }
        let mut document = all.document();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("at".to_owned(), json!(Timestamp::now().to_string()));
            fields.insert("marks".to_owned(), json!(marks));
            fields.insert("failures".to_owned(), json!(inner.failures));
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Failure};

    #[test]
    fn an_answer_counts_for_the_mark_under_which_it_was_sent() {
        let counts = Counts::default();
        let early = counts.sent();
        assert!(counts.mark("step1"));
        let late = counts.sent();
        counts.answered(early, Ok("v1".to_owned()));
        counts.answered(
            late,
            Err(Failure {
                kind: "refused".to_owned(),
                text: "refused: nobody listens".to_owned(),
            }),
        );
        counts.skip();
        let totals = counts.totals();
        assert_eq!(totals["sent"], 2);
        assert_eq!(totals["skipped"], 1);
        assert_eq!(totals["marks"][0]["by_version"]["v1"], 1);
        assert_eq!(totals["marks"][1]["name"], "step1");
        assert_eq!(totals["marks"][1]["errors"]["refused"], 1);
        assert_eq!(totals["failures"][0]["mark"], "step1");
        assert_eq!(counts.second()["failed"], 1);
        assert_eq!(counts.second()["sent"], 0);
    }

    #[test]
    fn marks_and_failures_have_an_end() {
        let counts = Counts::default();
        assert!((1..super::MARKS).all(|n| counts.mark(&n.to_string())));
        assert!(!counts.mark("one more"));
        for number in 0..200 {
            let mark = counts.sent();
            counts.answered(
                mark,
                Err(Failure {
                    kind: format!("kind{number}"),
                    text: String::new(),
                }),
            );
        }
        let totals = counts.totals();
        assert_eq!(
            totals["failures"].as_array().unwrap().len(),
            super::FAILURES
        );
        assert_eq!(totals["errors"]["other"], 100);
    }
}
