//! The command line.

/// What stands before the tools.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layering {
    /// Nothing.
    None,
    /// This crate.
    Auth,
    /// This crate, and requests without a credential get one on the way.
    Signed,
}

/// What is checked of access tokens beyond their signature.
#[derive(Default)]
pub(crate) struct Checks {
    /// The issuer is asked about opaque ones.
    pub(crate) introspect: bool,
    /// Those bound to a key are taken with their proof.
    pub(crate) dpop: bool,
    /// Those bound to a certificate are taken where 127.0.0.1, as a TLS terminator, shows it.
    pub(crate) client_cert: bool,
}

pub(crate) struct Options {
    pub(crate) port: u16,
    /// How clients spell this machine.
    pub(crate) host: String,
    pub(crate) issuer: String,
    /// The first challenge names the scopes of all tools.
    pub(crate) everything: bool,
    pub(crate) checks: Checks,
    pub(crate) layering: Layering,
    /// Somebody else's server, instead of the tools here.
    pub(crate) upstream: Option<String>,
}

impl Options {
    /// # Errors
    /// A sentence that names the wrong argument.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            port: 0,
            host: "127.0.0.1".into(),
            issuer: String::new(),
            everything: false,
            checks: Checks::default(),
            layering: Layering::Auth,
            upstream: None,
        };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| format!("{name} needs a value"))
            };
            match &*name {
                "--port" => {
                    options.port = value()?.parse().map_err(|_| "--port takes a number")?;
                }
                "--host" => options.host = value()?,
                "--issuer" => options.issuer = value()?,
                "--everything" => options.everything = true,
                "--introspect" => options.checks.introspect = true,
                "--dpop" => options.checks.dpop = true,
                "--client-cert" => options.checks.client_cert = true,
                "--upstream" => options.upstream = Some(value()?),
                "--signed" => options.layering = Layering::Signed,
                "--no-auth" => options.layering = Layering::None,
                _ => return Err(format!("there is no option {name:?}")),
            }
        }
        Ok(options)
    }
}
