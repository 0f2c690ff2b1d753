//! What stands before the Services: how it comes up, and how a test knows that it serves.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::start::Told;
use super::{Bed, output};
use crate::error::BedError;
use crate::gateway::{self, GATEWAY, Gateway};
use crate::programs::definitions;

/// How long a gateway may take to say that it serves a route. It looks every tenth of a second.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked at. A look is a process.
const LOOKS: Duration = Duration::from_millis(100);

impl Bed {
    /// What stands before the Services.
    pub fn gateway(&self) -> Gateway {
        self.description.site.gateway
    }

    /// Where the gateway serves HTTPRoutes, from inside; none where there is no gateway.
    pub fn routes_address(&self) -> Option<SocketAddr> {
        (self.gateway() == Gateway::Traefik).then(gateway::routes)
    }

    /// Where the gateway serves Ingresses, from inside; none where there is no gateway.
    pub fn ingresses_address(&self) -> Option<SocketAddr> {
        (self.gateway() == Gateway::Traefik).then(gateway::ingresses)
    }

    /// What an HTTPRoute names among its `parentRefs` so that the gateway serves it.
    pub fn route_parent() -> Value {
        let (namespace, name) = GATEWAY;
        json!({"namespace": namespace, "name": name})
    }

    /// Waits until the gateway says of an HTTPRoute, as it is written now, that it is accepted and every
    /// reference is resolved. Requests follow it within a moment.
    pub async fn route_accepted(&self, namespace: &str, name: &str) -> Result<(), BedError> {
        let until = Instant::now() + LIMIT;
        loop {
            let arguments = ["get", "httproute", name, "--namespace", namespace];
            let text = self
                .kubectl(&[&arguments[..], &["--output", "json"]].concat())
                .await?;
            let route: Value =
                serde_json::from_str(&text).map_err(BedError::document("an HTTPRoute"))?;
            let Some(objection) = gateway::objection(&route) else {
                return Ok(());
            };
            if Instant::now() > until {
                return Err(BedError::TooLate {
                    what: format!("the gateway's acceptance of HTTPRoute {namespace}/{name}"),
                    seconds: LIMIT.as_secs(),
                    last: objection,
                    logs: self.logs().to_owned(),
                });
            }
            tokio::time::sleep(LOOKS).await;
        }
    }

    /// The definitions, and the gateway, as far as they are wanted.
    pub(super) async fn gateway_comes_up(&mut self, told: &mut Told) -> Result<(), BedError> {
        if self.gateway() == Gateway::None {
            return Ok(());
        }
        let folder = definitions::folder(&self.description.site.programs);
        let mut command = self.command(self.tool("kubectl"));
        command.args(["apply", "--server-side", "-f"]).arg(&folder);
        output(command, "").await?;
        self.comes_about("definitions of the Gateway API", told, async |bed| {
            let request = ["get", "--raw=/apis/gateway.networking.k8s.io/v1/httproutes"];
            bed.kubectl(&request).await.map(drop)
        })
        .await?;
        if self.gateway() != Gateway::Traefik {
            return Ok(());
        }
        self.apply(&gateway::objects()).await?;
        let program = self.tool("traefik");
        let kubeconfig = gateway::kubeconfig(&self.description.site, &self.authority)?;
        if let Some(life) = &mut self.life {
            life.run_as("traefik", &program, &gateway::traefik(), &kubeconfig)?;
        }
        let (namespace, name) = GATEWAY;
        let condition = "jsonpath={.status.conditions[?(@.type==\"Programmed\")].status}";
        let request = [
            "get",
            "gateway",
            name,
            "--namespace",
            namespace,
            "--output",
            condition,
        ];
        self.comes_about("gateway", told, async |bed| {
            match bed.kubectl(&request).await?.as_str() {
                "True" => Ok(()),
                other => Err(BedError::Absent(format!("Programmed is {other:?}"))),
            }
        })
        .await
    }
}
