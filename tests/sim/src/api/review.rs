//! TokenReview and its relatives, answered from the table of identities.

use serde_json::{Value, json};

use crate::api::path::Review;
use crate::identity::{Access, User};
use crate::json;
use crate::model::Model;

impl Model {
    /// Answers a review; the body comes back with its status filled in.
    pub(crate) fn review(&self, user: &User, review: Review, mut body: Value) -> Value {
        let status = match review {
            Review::Token => self.review_token(&body),
            Review::SelfSubject => json!({ "userInfo": user_info(user) }),
            Review::SubjectAccess => {
                let who = json::text(&body, "/spec/user").to_owned();
                self.review_access(&who, &body)
            }
            Review::SelfSubjectAccess => self.review_access(&user.name, &body),
        };
        json::set(&mut body, &["status"], status);
        body
    }

    fn review_token(&self, body: &Value) -> Value {
        let asked: Vec<&str> = json::list(body, "/spec/audiences")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let Some(token) = self.identities.token(json::text(body, "/spec/token")) else {
            return json!({
                "authenticated": false,
                "user": {},
                "error": "[invalid bearer token]",
            });
        };
        let good: Vec<&str> = asked
            .iter()
            .copied()
            .filter(|asked| token.audiences.is_empty() || token.audiences.contains(*asked))
            .collect();
        let bound_elsewhere = asked.is_empty() && !token.audiences.is_empty();
        if (!asked.is_empty() && good.is_empty()) || bound_elsewhere {
            let error = format!(
                "[invalid bearer token, token audiences {:?} is invalid for the target audiences \
                 {asked:?}]",
                token.audiences
            );
            return json!({ "authenticated": false, "user": {}, "error": error });
        }
        let user = self.identities.user(&token.user);
        json!({ "authenticated": true, "user": user_info(&user), "audiences": good })
    }

    fn review_access(&self, user: &str, body: &Value) -> Value {
        let attribute = |name: &str| json::text(body, &format!("/spec/resourceAttributes/{name}"));
        let access = Access {
            user,
            verb: attribute("verb"),
            group: attribute("group"),
            resource: attribute("resource"),
            subresource: attribute("subresource"),
            namespace: attribute("namespace"),
        };
        let allowed = !user.is_empty() && self.identities.allows(&access);
        json!({ "allowed": allowed, "reason": if allowed { "" } else { "denied by the table" } })
    }
}

fn user_info(user: &User) -> Value {
    json!({ "username": user.name, "uid": format!("uid-{}", user.name), "groups": user.groups })
}
