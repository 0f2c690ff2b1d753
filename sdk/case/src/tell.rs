//! What a plugin answered, for whoever reads why a case does not hold.

use serde_json::Value;

/// The answer in lines. Of a smoke test's report only what did not pass, in the report's own words:
/// they say what was expected and what came. Anything else as it is.
pub fn told(answer: &Value) -> Vec<String> {
    let checks = answer.get("checks").and_then(Value::as_array);
    let lines: Vec<String> = checks
        .into_iter()
        .flatten()
        .filter_map(|check| {
            let text = |name| check.get(name).and_then(Value::as_str);
            let outcome = text("outcome").filter(|outcome| *outcome != "pass")?;
            let (name, message) = (text("name")?, text("message")?);
            Some(format!("it said: {outcome}: {name}: {message}"))
        })
        .collect();
    if lines.is_empty() {
        return vec![format!("the answer was {answer}")];
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_told_by_the_checks_that_did_not_pass() {
        let check = |outcome, message| json!({"name": "health", "outcome": outcome, "message": message, "elapsed-ms": 1});
        let report = json!({"outcome": "fail", "summary": "…", "checks": [
            check("pass", "200"),
            check("fail", "expected /status to be \"okay\", came \"ok\""),
        ]});
        assert_eq!(
            told(&report),
            ["it said: fail: health: expected /status to be \"okay\", came \"ok\""]
        );
        let other = json!({"checks": [check("pass", "200")]});
        assert_eq!(told(&other), [format!("the answer was {other}")]);
    }
}
