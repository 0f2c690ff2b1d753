//! The cluster's certificate authority: it signs the servers' certificates and the people's.

mod client_certificate;
mod pem;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _,
};
use serde_json::json;

use crate::Person;
use crate::error::BedError;

/// The authority's common name.
const NAME: &str = "sluice test cluster";

/// What the texts hold.
const CERTIFICATE: &str = "CERTIFICATE";
const KEY: &str = "PRIVATE KEY";

/// The authority, whose files stand in one folder.
pub(crate) struct Authority {
    folder: PathBuf,
    key: KeyPair,
    certificate: String,
}

/// A certificate and its key, as PEM files.
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    /// A new one in an empty folder, with the keys that sign the tokens of service accounts.
    pub(crate) fn create(folder: &Path) -> Result<Self, BedError> {
        let key = new_key(NAME)?;
        let signed = params()
            .self_signed(&key)
            .map_err(|source| refused(NAME, source))?;
        let certificate = pem::encode(CERTIFICATE, signed.der());
        write(&folder.join("ca.crt"), &certificate)?;
        write(
            &folder.join("ca.key"),
            &pem::encode(KEY, key.serialized_der()),
        )?;
        let tokens = new_key("service accounts")?;
        write(
            &folder.join("tokens.key"),
            &pem::encode(KEY, tokens.serialized_der()),
        )?;
        let public = tokens.subject_public_key_info();
        write(
            &folder.join("tokens.pub"),
            &pem::encode("PUBLIC KEY", &public),
        )?;
        Ok(Self {
            folder: folder.to_owned(),
            key,
            certificate,
        })
    }

    /// The one that another process created here.
    pub(crate) fn load(folder: &Path) -> Result<Self, BedError> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(BedError::file("read", path))
        };
        let key = pem::decode(&read("ca.key")?).unwrap_or_default();
        let key = KeyPair::try_from(key).map_err(|source| refused("ca.key", source))?;
        Ok(Self {
            folder: folder.to_owned(),
            key,
            certificate: read("ca.crt")?,
        })
    }

    /// A file of this folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A server's certificate for these names and addresses.
    pub(crate) fn server(&self, name: &str, answers_to: &[String]) -> Result<Files, BedError> {
        let key = new_key(name)?;
        let refuse = |source| refused(name, source);
        let mut server = CertificateParams::new(answers_to).map_err(refuse)?;
        server.distinguished_name.push(DnType::CommonName, name);
        server
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
        let signed = server
            .signed_by(&key, &Issuer::new(params(), &self.key))
            .map_err(refuse)?;
        self.write_pair(name, signed.der(), &key)
    }

    /// A person's certificate.
    pub(crate) fn client(&self, person: &Person) -> Result<Files, BedError> {
        let (certificate, key) = self.signed(person)?;
        self.write_pair(&person.file_stem(), &certificate, &key)
    }

    /// The file with which a person reaches the API server; made at the first call.
    pub(crate) fn kubeconfig(&self, person: &Person, server: &str) -> Result<PathBuf, BedError> {
        let path = self.file(&format!("{}.kubeconfig", person.file_stem()));
        if path.exists() {
            return Ok(path);
        }
        let (certificate, key) = self.signed(person)?;
        let in_base64 = |kind, der: &[u8]| STANDARD.encode(pem::encode(kind, der));
        // JSON is YAML: every client reads it.
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": person.name}}],
            "clusters": [{"name": "test", "cluster": {
                "server": server,
                "certificate-authority-data": STANDARD.encode(&self.certificate),
            }}],
            "users": [{"name": person.name, "user": {
                "client-certificate-data": in_base64(CERTIFICATE, &certificate),
                "client-key-data": in_base64(KEY, key.serialized_der()),
            }}],
        });
        // Whole or not at all: another process may ask for the same person.
        let (process, thread) = (std::process::id(), std::thread::current().id());
        let unfinished = path.with_extension(format!("{process}-{thread:?}"));
        write(&unfinished, &format!("{text:#}\n"))?;
        fs::rename(&unfinished, &path).map_err(BedError::file("write", &path))?;
        Ok(path)
    }

    fn signed(&self, person: &Person) -> Result<(Vec<u8>, KeyPair), BedError> {
        let key = new_key(&person.name)?;
        let certificate = client_certificate::der(person, &key, &self.key, NAME)
            .map_err(|source| refused(&person.name, source))?;
        Ok((certificate, key))
    }

    fn write_pair(&self, stem: &str, certificate: &[u8], key: &KeyPair) -> Result<Files, BedError> {
        let files = Files {
            certificate: self.file(&format!("{stem}.crt")),
            key: self.file(&format!("{stem}.key")),
        };
        write(&files.certificate, &pem::encode(CERTIFICATE, certificate))?;
        write(&files.key, &pem::encode(KEY, key.serialized_der()))?;
        Ok(files)
    }
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}

fn new_key(what: &str) -> Result<KeyPair, BedError> {
    KeyPair::generate().map_err(|source| refused(what, source))
}

fn refused(what: &str, source: rcgen::Error) -> BedError {
    BedError::Certificate {
        what: format!("a key or certificate for {what}"),
        source,
    }
}

fn write(path: &Path, text: &str) -> Result<(), BedError> {
    fs::write(path, text).map_err(BedError::file("write", path))
}
