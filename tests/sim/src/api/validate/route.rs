//! HTTPRoutes, as the definition of the Gateway API (v1.6) checks them, and Ingresses.

use crate::api::error::ApiError;
use crate::api::validate::Subject;
use crate::json;

/// The largest weight.
const WEIGHT: i64 = 1_000_000;

pub(super) fn http_route(subject: Subject<'_>) -> Result<(), ApiError> {
    let rules = json::list(subject.object, "/spec/rules");
    if rules.is_empty() || rules.len() > 16 {
        let problem = format!("Invalid value: {}: must have 1 to 16 items", rules.len());
        return subject.invalid("spec.rules", &problem);
    }
    for (index, rule) in rules.iter().enumerate() {
        let field = format!("spec.rules[{index}].backendRefs");
        let backends = json::list(rule, "/backendRefs");
        if backends.len() > 16 {
            let problem = format!("Too many: {}: must have at most 16 items", backends.len());
            return subject.invalid(&field, &problem);
        }
        for (index, backend) in backends.iter().enumerate() {
            let field = format!("{field}[{index}]");
            if json::text(backend, "/name").is_empty() {
                return subject.invalid(&format!("{field}.name"), "Required value");
            }
            let service = json::text(backend, "/kind") == "Service"
                && json::text(backend, "/group").is_empty();
            if service && json::int(backend, "/port").is_none() {
                let problem = "Invalid value: Must have port for Service reference";
                return subject.invalid(&field, problem);
            }
            let weight = json::int(backend, "/weight").unwrap_or(1);
            if !(0..=WEIGHT).contains(&weight) {
                let problem = format!("Invalid value: {weight}: should be in 0 to {WEIGHT}");
                return subject.invalid(&format!("{field}.weight"), &problem);
            }
        }
    }
    Ok(())
}

pub(super) fn ingress(subject: Subject<'_>) -> Result<(), ApiError> {
    let rules = json::list(subject.object, "/spec/rules");
    if rules.is_empty() && json::at(subject.object, "/spec/defaultBackend").is_none() {
        let problem = "Invalid value: null: either `defaultBackend` or `rules` must be specified";
        return subject.invalid("spec", problem);
    }
    for (rule_index, rule) in rules.iter().enumerate() {
        for (index, path) in json::list(rule, "/http/paths").iter().enumerate() {
            let field = format!("spec.rules[{rule_index}].http.paths[{index}]");
            match json::text(path, "/pathType") {
                "Exact" | "Prefix" | "ImplementationSpecific" => {}
                "" => {
                    let problem = "Required value: pathType must be specified";
                    return subject.invalid(&format!("{field}.pathType"), problem);
                }
                other => {
                    let problem = format!("Unsupported value: {other:?}");
                    return subject.invalid(&format!("{field}.pathType"), &problem);
                }
            }
            let service = json::text(path, "/backend/service/name");
            if service.is_empty() && json::at(path, "/backend/resource").is_none() {
                let field = format!("{field}.backend.service.name");
                return subject.invalid(&field, "Required value");
            }
        }
    }
    Ok(())
}
