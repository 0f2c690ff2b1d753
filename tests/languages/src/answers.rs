//! What the examples of one language answered, and whether another's are the same.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::every_kind;

/// The answers to every case, by kind and name of the case.
#[derive(Default)]
pub(crate) struct Answers(Vec<(String, Vec<(String, Value)>)>);

impl Answers {
    /// Takes what `sluice plugin test --output json` wrote, and says how many cases it played.
    pub(crate) fn add(&mut self, kind: &str, written: &str) -> Result<usize> {
        let document: Value = serde_json::from_str(written)
            .with_context(|| format!("{kind}: this is no answer of `sluice plugin test`"))?;
        let failed = document.get("failed").and_then(Value::as_u64);
        ensure!(failed == Some(0), "{kind}: {document:#}");
        let cases = document.get("cases").and_then(Value::as_array);
        let cases = cases.context("no cases")?;
        ensure!(!cases.is_empty(), "{kind}: no case was played");
        let answers = cases
            .iter()
            .map(|case| {
                let name = case.get("case").and_then(Value::as_str);
                let answer = case.get("answer").context("a case has an answer")?;
                Ok((name.context("a case has a name")?.to_owned(), plain(answer)))
            })
            .collect::<Result<Vec<_>>>()?;
        let count = answers.len();
        self.0.push((kind.to_owned(), answers));
        Ok(count)
    }

    /// Fails with every answer that differs from the other's to the same case.
    pub(crate) fn are_those_of(&self, other: &Answers, language: &str) -> Result<()> {
        every_kind(&self.0)?;
        every_kind(&other.0)?;
        let mut found = Vec::new();
        for ((kind, ours), (_, theirs)) in self.0.iter().zip(&other.0) {
            ensure!(ours.len() == theirs.len(), "{kind}: other cases");
            for ((case, our), (_, their)) in ours.iter().zip(theirs) {
                if our != their {
                    found.push(format!(
                        "{kind}, {case}\n  rust        {their}\n  {language:10}  {our}"
                    ));
                }
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        bail!(
            "the same question is answered otherwise than in Rust:\n{}",
            found.join("\n")
        )
    }
}

/// Without what hangs on a clock: a real one measures how long a check took, also on a tape.
fn plain(answer: &Value) -> Value {
    match answer {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| *name != "elapsed-ms")
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::String(text) => Value::String(without_times(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => answer.clone(),
    }
}

/// `12 ms` becomes `… ms`.
fn without_times(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let next = words.iter().skip(1).chain([&""]);
    let kept: Vec<&str> = words
        .iter()
        .zip(next)
        .map(|(word, next)| {
            let is_time = next.starts_with("ms") && word.chars().all(|c| c.is_ascii_digit());
            if is_time { "…" } else { word }
        })
        .collect();
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answers(answer: &Value) -> Answers {
        let mut all = Answers::default();
        for kind in crate::KINDS {
            let document = json!({"failed": 0, "cases": [{"case": "a", "answer": answer}]});
            assert_eq!(all.add(kind, &document.to_string()).unwrap(), 1);
        }
        all
    }

    #[test]
    fn only_clocks_may_differ() {
        let one = json!({"message": "status 200, 12 ms", "elapsed-ms": 12, "outcome": "pass"});
        let same = json!({"message": "status 200, 7 ms", "elapsed-ms": 7, "outcome": "pass"});
        let other = json!({"message": "status 201, 12 ms", "elapsed-ms": 12, "outcome": "pass"});
        answers(&same)
            .are_those_of(&answers(&one), "python")
            .unwrap();
        let error = answers(&other)
            .are_those_of(&answers(&one), "python")
            .unwrap_err();
        assert!(error.to_string().contains("status 201"), "{error}");
    }

    #[test]
    fn what_failed_or_was_not_played_is_no_proof() {
        let mut all = Answers::default();
        assert!(
            all.add("notifier", r#"{"failed": 1, "cases": []}"#)
                .is_err()
        );
        assert!(
            all.add("notifier", r#"{"failed": 0, "cases": []}"#)
                .is_err()
        );
        assert!(all.are_those_of(&answers(&json!(1)), "python").is_err());
    }
}
