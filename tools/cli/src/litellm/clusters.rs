//! The Envoy clusters that a configuration needs.

use crate::address::Address;
use crate::blueprint::Endpoint;
use crate::region;

/// The Envoy clusters of a configuration.
#[derive(Default)]
pub(crate) struct Clusters {
    endpoints: Vec<Endpoint>,
}

impl Clusters {
    /// The name of the cluster for `address`. There is one for each host, port and scheme.
    pub(crate) fn name_of(&mut self, address: &Address) -> String {
        let server_name = address.tls.then(|| address.host.clone());
        let same = |known: &&Endpoint| {
            known.host == address.host && known.port == address.port && known.server_name == server_name
        };
        if let Some(known) = self.endpoints.iter().find(same) {
            return known.cluster.clone();
        }
        let cluster = self.free_name(address);
        let (host, port) = (address.host.clone(), address.port);
        self.endpoints.push(Endpoint {
            cluster: cluster.clone(),
            host,
            port,
            server_name,
        });
        cluster
    }

    /// The endpoints of all clusters, in the order of their first use.
    pub(crate) fn into_endpoints(self) -> Vec<Endpoint> {
        self.endpoints
    }

    /// A new name of letters, digits and hyphens. A dot or colon would split Envoy's stat names,
    /// and a plus sign the names of failover clusters.
    fn free_name(&self, address: &Address) -> String {
        if let Some((region, variant)) =
            region::of_runtime_host(&address.host).filter(|_| address.tls && address.port == 443)
        {
            let fips = if variant.fips { "fips-" } else { "" };
            let dual_stack = if variant.dual_stack { "dualstack-" } else { "" };
            return format!("{fips}{dual_stack}{region}");
        }
        let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let host: String = address.host.chars().map(safe).collect();
        let base = format!("{}-{}", host.trim_matches('-'), address.port);
        // Not to be confused with the cluster of a region: `us-east-80` has the form of one.
        let base = if region::is_region(&base) {
            format!("host-{base}")
        } else {
            base
        };
        let mut name = base.clone();
        let mut count = 2;
        while self.endpoints.iter().any(|known| known.cluster == name) {
            name = format!("{base}-{count}");
            count += 1;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_share_clusters_whose_names_have_no_dots() {
        let mut clusters = Clusters::default();
        let mut name = |url: &str| clusters.name_of(&Address::parse(url).unwrap());
        assert_eq!(
            name("https://bedrock-runtime.us-east-1.amazonaws.com"),
            "us-east-1"
        );
        assert_eq!(
            name("http://bedrock-runtime.us-east-1.amazonaws.com"),
            "bedrock-runtime-us-east-1-amazonaws-com-80"
        );
        assert_eq!(name("http://a.b:9101/x"), "a-b-9101");
        assert_eq!(name("http://a.b:9101/y"), "a-b-9101");
        assert_eq!(name("https://a.b:9101"), "a-b-9101-2");
        assert_eq!(name("http://a-b:9101"), "a-b-9101-3");
        assert_eq!(name("http://[::1]:9101"), "1-9101");
        assert_eq!(name("http://us.east"), "host-us-east-80");
        assert_eq!(clusters.into_endpoints().len(), 7);
    }
}
