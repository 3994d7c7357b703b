//! How an issuer is asked about opaque tokens.

use crate::algorithm::SigningAlgorithm;
use crate::config::kinds::{List, Span, Text, UrlText, words};
use crate::config::read::{Reader, table};
use crate::config::secret::Secret;
use crate::issuer::Introspection as Asked;

table! {
    /// Opaque access tokens: the issuer is asked what each one is worth (RFC 7662).
    struct Introspection {
        /// Where to ask, for an issuer whose metadata does not say.
        endpoint: Option<UrlText>,
        /// Who this server is to the issuer.
        client_id: Text,
        /// How it shows that, by the names of OAuth: by its secret in the header or in the form, by an assertion signed
        /// with `private_key`, or by the certificate of the connection.
        authentication: Option<Authentication> = "client_secret_basic",
        /// The secret.
        client_secret: Option<Secret>,
        /// For `private_key_jwt`: a private JWK, or PEM.
        private_key: Option<Secret>,
        /// The algorithm of its signatures.
        private_key_algorithm: Option<SigningAlgorithm> = "ES256",
        /// The `kid` that assertions name, for a key in PEM.
        key_id: Option<Text>,
        /// Tokens that begin like this are this issuer's, such as `ory_at_`. Needed where several issuers are asked.
        token_prefixes: List<Text>,
        /// Takes answers without `aud`. An attacker gains: if the endpoint answers for tokens of other resources too,
        /// whoever runs one of those can use the tokens it is sent here.
        answers_only_for_this_resource: bool,
        /// Asks for signed answers and takes no others (RFC 9701).
        signed_responses: bool,
        /// How long a good answer serves, and so how long a token outlives its revocation at the issuer.
        lifetime: Option<Span<1, 30>> = "30s",
    }
}

words! {
    /// How this server authenticates (RFC 7591 §2, `token_endpoint_auth_method`).
    enum Authentication {
        Basic = "client_secret_basic",
        Post = "client_secret_post",
        Key = "private_key_jwt",
        Connection = "tls_client_auth",
    }
}

impl Introspection {
    fn authentication(&self) -> Authentication {
        self.authentication.unwrap_or(Authentication::Basic)
    }

    /// What the chosen way of authentication needs, and what it has no use for.
    pub(in crate::config) fn examine(&self, at: &str, reader: &mut Reader<'_>) {
        let way = self.authentication();
        let with_secret = matches!(way, Authentication::Basic | Authentication::Post);
        let with_key = way == Authentication::Key;
        let needs = [
            ("client_secret", self.client_secret.is_some(), with_secret),
            ("private_key", self.private_key.is_some(), with_key),
        ];
        for (name, is_there, is_needed) in needs {
            let at = format!("{at}.{name}");
            if is_needed && !is_there && !reader.is_broken(&at) {
                let remedy = "this is needed to ask: an endpoint that answers anybody lets anybody guess tokens \
                              (RFC 7662 §4); or choose another `authentication`";
                reader.add(&at, "left out", remedy);
            } else if is_there && !is_needed {
                let remedy =
                    "the chosen `authentication` does not use it; leave it out, or choose another";
                reader.add(&at, "…", remedy);
            }
        }
    }

    pub(in crate::config) fn introspection(&self) -> Asked {
        let mut asked = self.with_client(Asked::new());
        if let Some(endpoint) = &self.endpoint {
            asked = asked.endpoint(&endpoint.0);
        }
        for prefix in self.token_prefixes.iter() {
            asked = asked.token_prefix(&prefix.0);
        }
        if self.answers_only_for_this_resource {
            asked = asked.answers_only_for_this_resource();
        }
        if self.signed_responses {
            asked = asked.signed_responses();
        }
        if let Some(lifetime) = &self.lifetime {
            asked = asked.lifetime(lifetime.0);
        }
        asked
    }

    fn with_client(&self, asked: Asked) -> Asked {
        let id = &self.client_id.0;
        let secret = self.client_secret.as_ref().map_or("", Secret::expose);
        match self.authentication() {
            Authentication::Basic => asked.client_secret_basic(id, secret),
            Authentication::Post => asked.client_secret_post(id, secret),
            Authentication::Connection => asked.client_id(id),
            Authentication::Key => {
                let key = self.private_key.as_ref().map_or("", Secret::expose);
                let algorithm = self.private_key_algorithm;
                let algorithm = algorithm.unwrap_or(SigningAlgorithm::Es256);
                let asked = asked.private_key_jwt(id, key, algorithm);
                match &self.key_id {
                    Some(kid) => asked.key_id(&kid.0),
                    None => asked,
                }
            }
        }
    }
}
