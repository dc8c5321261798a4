//! Chooses the proxy for the API server. Done here because kube compares NO_PROXY with the proxy's own address.

use std::net::IpAddr;

use http::Uri;

use crate::model::{Kind, Problem, Result};
use crate::sys;

/// Proxy settings from the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub https_proxy: Option<String>,
    pub no_proxy: Option<String>,
}

impl Environment {
    pub(crate) fn read() -> Self {
        Environment {
            https_proxy: sys::var("HTTPS_PROXY").or_else(|| sys::var("https_proxy")),
            no_proxy: sys::var("NO_PROXY").or_else(|| sys::var("no_proxy")),
        }
    }
}

/// The proxy for `server`, if any, as kubectl decides: the cluster entry's proxy even if NO_PROXY excludes the
/// server, else the environment's.
pub(crate) fn decide(server: &Uri, proxy_url: Option<&str>, env: &Environment) -> Result<Option<Uri>> {
    if let Some(url) = proxy_url.filter(|url| !url.trim().is_empty()) {
        return parse(url, "proxy-url of the cluster entry").map(Some);
    }
    // HTTPS_PROXY does not apply to a plain-HTTP API server, which is a test or `kubectl proxy`.
    let Some(url) = env.https_proxy.as_deref().filter(|_| server.scheme_str() == Some("https")) else {
        return Ok(None);
    };
    let host = bare_host(server);
    let port = server.port_u16().unwrap_or(443);
    if is_local(&host) || env.no_proxy.as_deref().is_some_and(|list| exempt(&host, port, list)) {
        return Ok(None);
    }
    parse(url, "HTTPS_PROXY").map(Some)
}

/// The host in lower case, without the brackets of an IPv6 address.
pub(crate) fn bare_host(uri: &Uri) -> String {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn exempt(host: &str, port: u16, list: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    list.split([',', ' ']).map(|item| item.trim().to_ascii_lowercase()).filter(|item| !item.is_empty()).any(|item| {
        if item == "*" {
            return true;
        }
        if let (Some(address), Some((net, bits))) = (address, item.split_once('/')) {
            return in_network(address, net, bits);
        }
        let (name, wanted_port) = split_port(&item);
        if wanted_port.is_some_and(|wanted| wanted != port) {
            return false;
        }
        if let Some(address) = address {
            return name.parse() == Ok(address);
        }
        let name = name.strip_prefix("*.").map(|rest| format!(".{rest}")).unwrap_or_else(|| name.to_owned());
        match name.strip_prefix('.') {
            // A leading dot matches only subdomains.
            Some(domain) => host.strip_suffix(domain).is_some_and(|front| front.ends_with('.')),
            None => host == name || host.strip_suffix(name.as_str()).is_some_and(|front| front.ends_with('.')),
        }
    })
}

fn split_port(item: &str) -> (&str, Option<u16>) {
    if let Some(rest) = item.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((address, tail)) => (address, tail.strip_prefix(':').and_then(|port| port.parse().ok())),
            None => (item, None),
        };
    }
    match item.rsplit_once(':') {
        // With several colons it is an IPv6 address without a port.
        Some((name, port)) if !name.contains(':') => (name, port.parse().ok()),
        _ => (item, None),
    }
}

fn in_network(address: IpAddr, net: &str, bits: &str) -> bool {
    let (Ok(net), Ok(bits)) = (net.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(n)) if bits <= 32 => (u32::from(a) ^ u32::from(n)).checked_shr(32 - bits).unwrap_or(0) == 0,
        (IpAddr::V6(a), IpAddr::V6(n)) if bits <= 128 => (u128::from(a) ^ u128::from(n)).checked_shr(128 - bits).unwrap_or(0) == 0,
        _ => false,
    }
}

fn parse(url: &str, from: &str) -> Result<Uri> {
    let url = url.trim();
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    // The proxy resolves the name in both cases.
    let url = url.strip_prefix("socks5h://").map(|rest| format!("socks5://{rest}")).unwrap_or(url);
    // The URL may contain a password, so messages never repeat it.
    let bad = |why: &str| Problem::new(Kind::Usage, "KC3010", format!("the proxy in {from} can't be used")).why(why.to_owned());
    let uri: Uri = url.parse().map_err(|_| bad("it is not a URL").fix("write it as http://HOST:PORT"))?;
    let credentials = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match uri.scheme_str() {
        _ if uri.host().is_none_or(str::is_empty) => Err(bad("it has no host").fix("write it as http://HOST:PORT")),
        Some("http" | "https") => Ok(uri),
        Some("socks5") if credentials => Err(bad("user name and password can't be sent to a SOCKS proxy").fix(
            "use the proxy's HTTP port, or a proxy without \
                authentication",
        )),
        Some("socks5") => Ok(uri),
        scheme => Err(bad(&format!("{} is not one of http, https, socks5", scheme.unwrap_or("that scheme")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(server: &str, proxy_url: Option<&str>, https_proxy: Option<&str>, no_proxy: &str) -> Option<String> {
        let env = Environment { https_proxy: https_proxy.map(Into::into), no_proxy: Some(no_proxy.into()) };
        decide(&server.parse().unwrap(), proxy_url, &env).unwrap().map(|uri| uri.to_string())
    }

    #[test]
    fn decides_as_kubectl_does() {
        const SERVER: &str = "https://a.hcp.westeurope.azmk8s.io:443";
        const PROXY: &str = "http://127.0.0.1:3128";
        let proxy = Some(format!("{PROXY}/"));
        // (server, proxy-url, HTTPS_PROXY, NO_PROXY, decision)
        let table = [
            (SERVER, None, Some(PROXY), "localhost,127.0.0.1", proxy.clone()),
            (SERVER, None, Some("http://10.1.2.3:8080"), "10.0.0.0/8", Some("http://10.1.2.3:8080/".into())),
            (SERVER, Some(PROXY), None, "*", proxy.clone()),
            (SERVER, None, Some(PROXY), ".azmk8s.io", None),
            (SERVER, None, Some(PROXY), "azmk8s.io", None),
            (SERVER, None, Some(PROXY), "*.azmk8s.io", None),
            (SERVER, None, Some(PROXY), "a.hcp.westeurope.azmk8s.io:443", None),
            (SERVER, None, Some(PROXY), "a.hcp.westeurope.azmk8s.io:6443", proxy.clone()),
            (SERVER, None, Some(PROXY), "notazmk8s.io,mk8s.io", proxy.clone()),
            (SERVER, None, Some(PROXY), "foo,", proxy.clone()),
            (SERVER, None, Some(PROXY), "foo bar,,", proxy.clone()),
            (SERVER, None, Some(PROXY), "*", None),
            ("https://127.0.0.1:6443", None, Some(PROXY), "", None),
            ("https://localhost:6443", None, Some(PROXY), "", None),
            ("https://[::1]:6443", None, Some(PROXY), "", None),
            ("https://10.1.2.3", None, Some(PROXY), "10.0.0.0/8", None),
            ("https://11.1.2.3", None, Some(PROXY), "10.0.0.0/8", proxy.clone()),
            ("https://11.1.2.3", None, Some(PROXY), "0.0.0.0/0", None),
            ("https://[fd00::1]", None, Some(PROXY), "fd00::/8", None),
            ("https://[fd00::1]", None, Some(PROXY), "fd00::1", None),
            (SERVER, None, Some("127.0.0.1:3128"), "", proxy.clone()),
            (SERVER, None, Some("socks5h://h:1080"), "", Some("socks5://h:1080".into())),
            (SERVER, None, None, "", None),
            ("http://a.example:80", None, Some(PROXY), "", None),
        ];
        for (server, proxy_url, https_proxy, no_proxy, want) in table {
            let got = decided(server, proxy_url, https_proxy, no_proxy);
            let trim = |v: Option<String>| v.map(|v| v.trim_end_matches('/').to_owned());
            assert_eq!(trim(got), trim(want), "{server} proxy-url {proxy_url:?} HTTPS_PROXY {https_proxy:?} NO_PROXY {no_proxy}");
        }
    }

    #[test]
    fn refuses_what_it_can_not_use_without_repeating_the_password() {
        let server: Uri = "https://a.example".parse().unwrap();
        for (url, hint) in [
            ("socks5://me:hunter2@h:1", "SOCKS"),
            ("ftp://me:hunter2@h", "ftp"),
            ("http://me:hunter2@", "host"),
            ("http://me:hunter2 @h", "URL"),
        ] {
            let problem = decide(&server, Some(url), &Environment::default()).unwrap_err();
            let told = format!("{problem} {:?}", problem.fixes());
            assert!(told.contains(hint) || told.contains("URL"), "{url}: {told}");
            assert!(!told.contains("hunter2"), "{told}");
            assert_eq!(problem.code(), "KC3010");
        }
    }
}
