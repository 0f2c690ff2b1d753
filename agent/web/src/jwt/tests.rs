//! Known vectors of the standards, and what must not pass.

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::json;

use super::*;

/// RFC 7515, appendix A.2: the key and the token.
const RFC_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RFC_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/// RFC 7515, appendix A.3: another key and token.
const RFC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const RFC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const RFC_EC_TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

fn rsa() -> Key {
    let set = json!({ "keys": [{ "kty": "RSA", "n": RFC_N, "e": "AQAB" }] });
    keys(&set).unwrap().remove(0)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

struct Signer(EcdsaKeyPair, SystemRandom);

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap();
        Self(pair, random)
    }

    fn jwk(&self, more: Value) -> Value {
        let point = self.0.public_key().as_ref();
        let mut jwk = json!({
            "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        });
        jwk.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        jwk
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.0.sign(&self.1, signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn verify(token: &str, key: &Key) -> Result<Claims, TokenFault> {
    Unverified::parse(token)?.verify(key)
}

#[test]
fn the_tokens_of_the_standard() {
    let claims = verify(RFC_TOKEN, &rsa()).unwrap();
    assert_eq!(claims.text("iss").unwrap(), "joe");
    let set = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": RFC_X, "y": RFC_Y }] });
    let key = keys(&set).unwrap().remove(0);
    assert_eq!(
        verify(RFC_EC_TOKEN, &key).unwrap().text("iss").unwrap(),
        "joe"
    );
    // The other's key does not do, and neither does a changed payload.
    assert_eq!(verify(RFC_TOKEN, &key).unwrap_err(), TokenFault::Algorithm);
    assert_eq!(
        verify(RFC_EC_TOKEN, &rsa()).unwrap_err(),
        TokenFault::Algorithm
    );
    let changed = RFC_TOKEN.replacen("eyJpc3MiOiJqb2Ui", "eyJpc3MiOiJqb2Uj", 1);
    assert!(verify(&changed, &rsa()).is_err());
    let other = RFC_TOKEN.replacen(".cC4h", ".cC4i", 1);
    assert_eq!(verify(&other, &rsa()).unwrap_err(), TokenFault::Signature);
}

#[test]
fn edwards_curves_as_well() {
    let random = SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] });
    let key = keys(&set).unwrap().remove(0);
    let signed = format!(
        "{}.{}",
        encode(&json!({"alg": "EdDSA"})),
        encode(&json!({"iss": "x"}))
    );
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
    assert!(verify(&format!("{signed}.{signature}"), &key).is_ok());
}

/// Attack 18: no signature at all, and the public key taken for a shared secret.
#[test]
fn none_and_symmetric_algorithms_are_not_known() {
    for alg in [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS1", "es256",
    ] {
        let token = format!(
            "{}.{}.",
            encode(&json!({"alg": alg})),
            encode(&json!({"iss": "x"}))
        );
        assert_eq!(
            Unverified::parse(&token).err(),
            Some(TokenFault::Algorithm),
            "{alg}"
        );
    }
    let signed = format!(
        "{}.{}",
        encode(&json!({"alg": "HS256"})),
        encode(&json!({"iss": "x"}))
    );
    for secret in [RFC_N.as_bytes(), &URL_SAFE_NO_PAD.decode(RFC_N).unwrap()] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
        assert!(verify(&format!("{signed}.{tag}"), &rsa()).is_err());
        // The same bytes under a name that is known.
        let named = signed.replacen(
            &encode(&json!({"alg": "HS256"})),
            &encode(&json!({"alg": "RS256"})),
            1,
        );
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&key, named.as_bytes()));
        assert_eq!(
            verify(&format!("{named}.{tag}"), &rsa()).unwrap_err(),
            TokenFault::Signature
        );
    }
}

#[test]
fn a_key_says_what_it_is_for() {
    let signer = Signer::new();
    let token = signer.token(&json!({"alg": "ES256"}), &json!({"iss": "x"}));
    let key = |more: Value| keys(&json!({ "keys": [signer.jwk(more)] })).unwrap();
    assert!(verify(&token, &key(json!({}))[0]).is_ok());
    assert!(verify(&token, &key(json!({"alg": "ES256", "use": "sig"}))[0]).is_ok());
    assert_eq!(
        verify(&token, &key(json!({"alg": "ES384"}))[0]).unwrap_err(),
        TokenFault::Algorithm
    );
    assert!(key(json!({"use": "enc"})).is_empty());
    assert!(key(json!({"alg": "HS256"})).is_empty());
    assert!(key(json!({"kty": "oct", "k": "AAAA"})).is_empty());
    let symmetric = json!({ "keys": [{ "kty": "oct", "k": "AAAA" }, 7, "x", {}] });
    assert!(keys(&symmetric).unwrap().is_empty());
    assert!(keys(&json!({ "keys": 1 })).is_none());
    let many = vec![signer.jwk(json!({})); 1000];
    assert_eq!(keys(&json!({ "keys": many })).unwrap().len(), 64);
}

#[test]
fn the_key_is_the_one_that_is_named() {
    let (a, b) = (Signer::new(), Signer::new());
    let set = json!({ "keys": [a.jwk(json!({"kid": "a"})), b.jwk(json!({"kid": "b"}))] });
    let all = keys(&set).unwrap();
    let by_b = b.token(&json!({"alg": "ES256", "kid": "b"}), &json!({}));
    let token = Unverified::parse(&by_b).unwrap();
    assert_eq!(token.key(&all).unwrap().id.as_deref(), Some("b"));
    let lie = b.token(&json!({"alg": "ES256", "kid": "a"}), &json!({}));
    let token = Unverified::parse(&lie).unwrap();
    let key = token.key(&all).unwrap().clone();
    assert_eq!(token.verify(&key).unwrap_err(), TokenFault::Signature);
    let nameless = b.token(&json!({"alg": "ES256"}), &json!({}));
    let token = Unverified::parse(&nameless).unwrap();
    assert!(
        token.key(&all).is_none(),
        "of several keys one must be named"
    );
    assert!(token.key(&all[1..]).is_some());
    let unknown = b.token(&json!({"alg": "ES256", "kid": "c"}), &json!({}));
    assert!(Unverified::parse(&unknown).unwrap().key(&all).is_none());
}

#[test]
fn what_is_no_token() {
    let signer = Signer::new();
    let good = signer.token(&json!({"alg": "ES256"}), &json!({"iss": "x"}));
    for bad in [
        String::new(),
        "nothing".into(),
        "a.b".into(),
        "..".into(),
        good.replace('.', ""),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}.{good}"),
        "é.é.é".into(),
        format!("{}.{good}", "x".repeat(20_000)),
        signer.token(&json!({"alg": "ES256", "crit": ["exp"]}), &json!({})),
        signer.token(&json!({"alg": "ES256", "kid": 7}), &json!({})),
        signer.token(&json!({"alg": 7}), &json!({})),
        signer.token(&json!({"alg": "ES256"}), &json!([])),
        signer.token(&json!([]), &json!({})),
    ] {
        assert!(Unverified::parse(&bad).is_err(), "{bad:.60}");
    }
}

const WANTED: Wanted<'static> = Wanted {
    issuer: "https://id.example.com",
    audience: "sluice",
    alone: false,
    max_age: Some(SignedDuration::from_secs(600)),
};

fn claims(change: Value) -> Claims {
    let mut all = json!({
        "iss": "https://id.example.com", "aud": "sluice", "sub": "8f2c", "exp": 2000, "iat": 1000,
    });
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            all.as_object_mut().unwrap().remove(name);
        } else {
            all[name] = value.clone();
        }
    }
    Claims(all.as_object().unwrap().clone())
}

#[test]
fn issuer_and_audience_are_exact() {
    let good = |change| claims(change).check(&WANTED, at(1000));
    assert_eq!(good(json!({})), Ok(at(2000)));
    assert!(good(json!({"aud": ["other", "sluice"]})).is_ok());
    for bad in [
        json!({"iss": null}),
        json!({"iss": ""}),
        json!({"iss": "https://id.example.com/"}),
        json!({"iss": "https://ID.example.com"}),
        json!({"iss": ["https://id.example.com"]}),
        json!({"aud": null}),
        json!({"aud": []}),
        json!({"aud": "Sluice"}),
        json!({"aud": "sluice2"}),
        json!({"aud": {"sluice": true}}),
        json!({"aud": ["other"]}),
    ] {
        assert!(good(bad.clone()).is_err(), "{bad}");
    }
    let alone = Wanted {
        alone: true,
        ..WANTED
    };
    assert!(
        claims(json!({"aud": ["sluice"]}))
            .check(&alone, at(1000))
            .is_ok()
    );
    assert!(
        claims(json!({"aud": ["sluice", "x"]}))
            .check(&alone, at(1000))
            .is_err()
    );
}

#[test]
fn times_have_a_minute_and_no_more() {
    let check = |change: Value, now| claims(change).check(&WANTED, at(now)).map(|_| ());
    let long = json!({"exp": 1200});
    assert_eq!(check(long.clone(), 1259), Ok(()));
    assert_eq!(check(long, 1260), Err(TokenFault::Expired));
    assert_eq!(check(json!({}), 940), Ok(()));
    assert_eq!(check(json!({}), 939), Err(TokenFault::NotYet));
    assert_eq!(check(json!({"nbf": 1061}), 1000), Err(TokenFault::NotYet));
    assert_eq!(check(json!({"nbf": 1060}), 1000), Ok(()));
    assert_eq!(check(json!({"exp": 99_999}), 1660), Ok(()));
    assert_eq!(
        check(json!({"exp": 99_999}), 1661),
        Err(TokenFault::TooOld(600))
    );
    assert_eq!(check(json!({"exp": 2000.5, "iat": 1000.9}), 1000), Ok(()));
    for bad in [
        json!({"exp": null}),
        json!({"exp": "2000"}),
        json!({"exp": 1e300}),
        json!({"iat": null}),
        json!({"iat": "1000"}),
        json!({"nbf": "x"}),
    ] {
        assert!(check(bad.clone(), 1000).is_err(), "{bad}");
    }
}

#[test]
fn claims_are_whole_texts_or_whole_numbers() {
    let all =
        claims(json!({"id": 4711, "text": "4711", "list": ["4711"], "half": 4711.5, "yes": true}));
    assert!(all.is("id", "4711") && all.is("text", "4711"));
    for (name, wanted) in [
        ("id", "471"),
        ("id", "04711"),
        ("text", "4711 "),
        ("list", "4711"),
        ("half", "4711"),
        ("yes", "true"),
        ("none", ""),
    ] {
        assert!(!all.is(name, wanted), "{name} {wanted}");
    }
    assert!(all.text("list").is_err());
    assert!(claims(json!({"sub": "a\nb"})).text("sub").is_err());
    assert!(claims(json!({"sub": "x".repeat(513)})).text("sub").is_err());
}
