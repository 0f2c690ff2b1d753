//! Sessions of people who signed in. The token is not kept; who it belonged to is.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use sluice_core::hash::{hex, sha256_hex};
use sluice_core::policy::Identity;

/// Sessions at most; the one that has been idle longest makes room. A team, not a crowd.
const SESSIONS: usize = 256;
/// Sessions of one person; the oldest of them makes room, so that one person cannot push out others.
const SESSIONS_EACH: usize = 8;
/// A session ends so long after the sign-in: groups are pinned then, and must not stay for ever.
const LIFETIME: SignedDuration = SignedDuration::from_hours(8);
/// And so long after its last request.
const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// 256 bits in hexadecimal.
const ID_LEN: usize = 64;

/// Somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// Who, as the API server or the identity provider said at the sign-in.
    pub(crate) who: Identity,
    /// What a form of this session must carry.
    pub(crate) csrf: String,
    since: Timestamp,
    used: Timestamp,
    /// When what they signed in with ends, where it says so.
    until: Option<Timestamp>,
}

impl Session {
    fn over(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) >= LIFETIME
            || now.duration_since(self.used) >= IDLE
            || self.until.is_some_and(|until| now >= until)
    }

    fn same_person(&self, other: &Self) -> bool {
        (self.who.provider, &self.who.username) == (other.who.provider, &other.who.username)
    }
}

/// All sessions, by the hash of their id: a look into memory or a timing of the map gives no id.
#[derive(Default)]
pub(crate) struct Sessions {
    table: Mutex<HashMap<String, Session>>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a session. The id goes into the cookie and nowhere else.
    pub(crate) fn start(&self, who: Identity, until: Option<Timestamp>, now: Timestamp) -> String {
        let id = secret();
        let session = Session {
            who,
            csrf: secret(),
            since: now,
            used: now,
            until,
        };
        let mut table = self.lock();
        table.retain(|_, s| !s.over(now));
        let own = table.values().filter(|s| s.same_person(&session)).count();
        if own >= SESSIONS_EACH {
            drop_oldest(&mut table, |s| s.same_person(&session));
        }
        if table.len() >= SESSIONS {
            drop_oldest(&mut table, |_| true);
        }
        table.insert(sha256_hex(id.as_bytes()), session);
        id
    }

    /// The session of a cookie, if there is one and it is not over.
    pub(crate) fn find(&self, id: &str, now: Timestamp) -> Option<Session> {
        if id.len() != ID_LEN {
            return None;
        }
        let key = sha256_hex(id.as_bytes());
        let mut table = self.lock();
        if table.get(&key)?.over(now) {
            table.remove(&key);
            return None;
        }
        let session = table.get_mut(&key)?;
        session.used = session.used.max(now);
        Some(session.clone())
    }

    /// Ends a session.
    pub(crate) fn end(&self, id: &str) {
        self.lock().remove(&sha256_hex(id.as_bytes()));
    }
}

fn drop_oldest(table: &mut HashMap<String, Session>, of: impl Fn(&Session) -> bool) {
    let oldest = table
        .iter()
        .filter(|(_, s)| of(s))
        .min_by_key(|(_, s)| s.used);
    if let Some(key) = oldest.map(|(key, _)| key.clone()) {
        table.remove(&key);
    }
}

/// 256 random bits.
pub(crate) fn secret() -> String {
    let mut bytes = [0_u8; ID_LEN / 2];
    rand::rng().fill_bytes(&mut bytes);
    hex(&bytes)
}

/// Compares two secrets in a time that does not depend on where they differ.
pub(crate) fn same_secret(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |diff, (x, y)| diff | (x ^ y))
            == 0
}

/// The cookie's name. `__Host-` makes the browser insist on https, this host and no domain.
pub(crate) fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-sluice" } else { "sluice" }
}

/// The cookie of a new session, or the one that removes it.
pub(crate) fn cookie(secure: bool, id: Option<&str>) -> Option<HeaderValue> {
    let name = cookie_name(secure);
    let flags = if secure { "; Secure" } else { "" };
    let (value, age) = match id {
        Some(id) => (id, LIFETIME.as_secs()),
        None => ("", 0),
    };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{flags}");
    HeaderValue::from_str(&text).ok()
}

/// The session id that a request carries.
pub(crate) fn id_in(headers: &HeaderMap, secure: bool) -> Option<String> {
    cookie_value(headers, cookie_name(secure))
}

/// The value of a cookie. Two cookies of that name are none: somebody planted one.
pub(crate) fn cookie_value(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned());
    match (found.next(), found.next()) {
        (Some(value), None) => Some(value),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> Identity {
        Identity::kubernetes(name, Vec::new())
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn ends_after_half_an_hour_without_use() {
        let sessions = Sessions::default();
        let id = sessions.start(who("alice"), None, at(0));
        assert!(sessions.find(&id, at(29)).is_some());
        assert!(sessions.find(&id, at(58)).is_some(), "used in between");
        assert!(sessions.find(&id, at(88)).is_none());
        assert!(
            sessions.find(&id, at(60)).is_none(),
            "over is over, whatever the clock says"
        );
    }

    #[test]
    fn ends_after_eight_hours_of_use() {
        let sessions = Sessions::default();
        let id = sessions.start(who("alice"), None, at(0));
        for minute in (0..480).step_by(10) {
            assert!(sessions.find(&id, at(minute)).is_some(), "{minute}");
        }
        assert!(sessions.find(&id, at(480)).is_none());
    }

    #[test]
    fn ends_with_the_token_that_began_it() {
        let sessions = Sessions::default();
        let id = sessions.start(who("alice"), Some(at(20)), at(0));
        assert!(sessions.find(&id, at(19)).is_some());
        assert!(sessions.find(&id, at(20)).is_none());
    }

    #[test]
    fn ids_are_long_distinct_and_not_kept() {
        let sessions = Sessions::default();
        let (a, b) = (
            sessions.start(who("alice"), None, at(0)),
            sessions.start(who("alice"), None, at(0)),
        );
        assert_ne!(a, b);
        assert_eq!(a.len(), 64);
        assert!(!sessions.lock().contains_key(&a));
        let csrf = sessions.find(&a, at(0)).unwrap().csrf;
        assert_ne!(csrf, a);
        assert_ne!(csrf, sessions.find(&b, at(0)).unwrap().csrf);
        sessions.end(&a);
        assert!(sessions.find(&a, at(0)).is_none());
        assert!(sessions.find("", at(0)).is_none());
    }

    #[test]
    fn one_person_cannot_push_out_others() {
        let sessions = Sessions::default();
        let bob = sessions.start(who("bob"), None, at(0));
        let first = sessions.start(who("alice"), None, at(1));
        for n in 0..300 {
            sessions.start(who("alice"), None, at(2 + n % 2));
        }
        assert!(sessions.find(&bob, at(4)).is_some());
        assert!(sessions.find(&first, at(4)).is_none());
        assert_eq!(sessions.lock().len(), 1 + SESSIONS_EACH);
    }

    #[test]
    fn the_table_is_bounded() {
        let sessions = Sessions::default();
        let second = |n: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(n);
        let start = |n| sessions.start(who(&format!("p{n}")), None, second(n));
        let ids: Vec<String> = (0..300).map(start).collect();
        assert_eq!(sessions.lock().len(), SESSIONS);
        assert!(sessions.find(&ids[43], second(300)).is_none());
        assert!(
            sessions.find(&ids[44], second(300)).is_some(),
            "the longest idle went first"
        );
        assert!(sessions.find(&ids[299], second(300)).is_some());
    }

    #[test]
    fn cookies() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=b; sluice=one; c=d"),
        );
        assert_eq!(id_in(&headers, false).as_deref(), Some("one"));
        assert_eq!(id_in(&headers, true), None);
        headers.append(header::COOKIE, HeaderValue::from_static("sluice=two"));
        assert_eq!(id_in(&headers, false), None);
        assert_eq!(
            cookie(true, Some("x")).unwrap(),
            "__Host-sluice=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=28800; Secure"
        );
        assert_eq!(
            cookie(false, None).unwrap(),
            "sluice=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
        assert!(same_secret("ab", "ab") && !same_secret("ab", "ac") && !same_secret("ab", "abc"));
    }
}
