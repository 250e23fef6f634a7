//! The pod of `helm test`: it has what it takes to ask the service as the identity provider does, and nothing else.

use serde_json::json;

use super::{
    service::{Root, container},
    settings::env,
    *,
};
use crate::support::process::{Ended, Service, behalf, run};

const PORT: &str = "listen.port=8111";

fn pod(objects: &[Value]) -> Option<&Value> {
    objects.iter().find(|object| object["kind"] == "Pod")
}

/// Files that a pod sees, as paths in its container.
fn files(pod: &Value) -> Vec<String> {
    let none = Vec::new();
    let volumes = pod["spec"]["volumes"].as_array().unwrap_or(&none);
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().unwrap_or(&none);
    assert_eq!(volumes.len(), mounts.len());
    let of_volume = |(volume, mount): (&Value, &Value)| {
        assert_eq!((&volume["name"], &mount["readOnly"]), (&mount["name"], &json!(true)));
        let one = [json!({"volume": volume["configMap"]})];
        let sources = volume["projected"]["sources"].as_array().map_or(&one[..], Vec::as_slice);
        let items = sources.iter().flat_map(|source| source.as_object().unwrap().values());
        let items: Vec<_> = items.flat_map(|source| source["items"].as_array().unwrap()).collect();
        let below = mount["mountPath"].as_str().unwrap();
        items.iter().map(|item| format!("{below}/{}", item["path"].as_str().unwrap())).collect::<Vec<_>>()
    };
    volumes.iter().zip(mounts).flat_map(of_volume).collect()
}

#[test]
fn it_sees_the_hooks_secret_and_no_other() {
    let mut seen = 0;
    for case in cases() {
        let objects = of_case(&case);
        let Some(pod) = pod(&objects) else { continue };
        let selftest = pod["spec"]["containers"][0]["args"][0] == "selftest";
        let secrets = files(pod).into_iter().filter(|path| path.starts_with("/run/secrets/")).collect::<Vec<_>>();
        let wanted: &[&str] = if selftest { &["/run/secrets/behalf/hook-secret"] } else { &[] };
        assert_eq!(secrets, wanted, "{case}");
        assert!(
            files(pod).iter().all(|path| path.starts_with("/run/secrets/") || path == "/run/trust/ca.pem"),
            "{case}"
        );
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

/// Sources of yours: those that name other files are left out, one that names none may have it.
#[test]
fn of_several_secrets_it_sees_what_is_the_hooks() {
    let Some(helm) = Helm::there() else { return };
    let changes =
        ["secrets.projected=[{\"secret\":{\"name\":\"one\"}},{\"secret\":{\"name\":\"two\",\"items\":[{\"key\":\"k\",\
        \"path\":\"otp.key\"}]}}]"];
    let objects = objects(&helm.template("embedded-full", &changes).unwrap());
    let sources = &pod(&objects).unwrap()["spec"]["volumes"][0]["projected"]["sources"];
    let item = json!({"key": "hook-secret", "path": "hook-secret"});
    assert_eq!(*sources, json!([{"secret": {"name": "one", "optional": true, "items": [item]}}]));
}

/// The file may say what the values don't.
#[test]
fn it_finds_the_hook_in_the_file_as_well() {
    let Some(helm) = Helm::there() else { return };
    let toml = Value::from(
        "[tenants.default]\nissuer = \"https://a.example.com\"\naudience = \"b\"\n\
         hook = { header = \"x-hook\", secret_file = \"/run/secrets/behalf/of-the-file\" }\n",
    );
    let changes = [&format!("config.toml={toml}"), "settings={}", "secrets.files={}"];
    let objects = objects(&helm.template("embedded", &changes).unwrap());
    let pod = pod(&objects).unwrap();
    assert_eq!(files(pod), ["/run/secrets/behalf/of-the-file"]);
    let env = env(&pod["spec"]["containers"][0]);
    let known = ["BEHALF_AUDIENCE", "BEHALF_HOOK_HEADER", "BEHALF_HOOK_SECRET_FILE", "BEHALF_ISSUER"];
    assert_eq!(env.keys().collect::<Vec<_>>(), known);
    assert_eq!(env["BEHALF_HOOK_HEADER"], "x-hook");
}

/// Out: names, and the port at which the service's pods listen, whatever the Service's is. In: nobody.
#[test]
fn it_reaches_the_service_and_nothing_else() {
    let Some(helm) = Helm::there() else { return };
    for changes in [&[PORT, "tls.secret=\"behalf-tls\""][..], &[PORT]] {
        let objects = objects(&helm.template("redis", changes).unwrap());
        let policy = &one(&objects, "NetworkPolicy", "behalf-test")["spec"];
        assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
        assert!(policy["ingress"].is_null());
        assert_eq!(policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"], "test");
        let out = policy["egress"].as_array().unwrap();
        let ports = |rule: &Value| -> Vec<u64> {
            rule["ports"].as_array().unwrap().iter().map(|port| port["port"].as_u64().unwrap()).collect()
        };
        assert_eq!(out.iter().map(ports).collect::<Vec<_>>(), [vec![53, 53], vec![8111]]);
        assert_eq!(out[1]["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"], "service");
        assert_eq!(container(workload(&objects))["ports"][0]["containerPort"], 8111);

        let scheme = if changes.len() == 2 { "https" } else { "http" };
        let asked = &pod(&objects).unwrap()["spec"]["containers"][0]["args"][2];
        assert_eq!(*asked, format!("{scheme}://behalf.identity.svc:80"));
        assert_eq!(one(&objects, "Service", "behalf")["spec"]["ports"][0]["port"], 80);
    }
}

/// Runs the service with the workload's variables, and then what the pod runs, with its variables and its files alone.
async fn tested(objects: &[Value]) -> Ended {
    let root = Root::of(objects);
    let mut serve = behalf(root.folder(), &["serve"]);
    for (name, value) in env(container(workload(objects))) {
        serve.env(name, root.path(&value));
    }
    for (name, value) in
        [("BEHALF_BIND", "127.0.0.1:0"), ("BEHALF_METRICS_BIND", "127.0.0.1:0"), ("BEHALF_DRAIN_DELAY", "0s")]
    {
        serve.env(name, value);
    }
    serve.env("BEHALF_STORE", "memory").env_remove("BEHALF_AUDIT_SINK").env("BEHALF_LOG_LEVEL", "info");
    let service = Service::start(&mut serve).await;

    let pod = pod(objects).unwrap();
    let asked = &pod["spec"]["containers"][0];
    let args: Vec<&str> = asked["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
    let [command, "--url", url] = args[..] else { panic!("{args:?}") };
    let url = format!("{}://{}", url.split_once("://").unwrap().0, service.address);
    let small = root.with_only(&files(pod));
    let mut test = behalf(small.folder(), &[command, "--url", &url]);
    if !asked["env"].is_null() {
        test.envs(env(asked).into_iter().map(|(name, value)| (name, small.path(&value))));
    }
    run(&mut test).await
}

#[tokio::test]
async fn what_it_sees_is_enough_to_ask_the_service() {
    for case in ["embedded", "embedded-full"] {
        let ended = tested(&of_case(case)).await;
        assert_eq!(ended.code, Some(0), "{case}: {ended:?}");
        assert!(ended.out.contains("all is well"), "{case}: {ended:?}");
    }
    let Some(helm) = Helm::there() else { return };
    for case in ["embedded", "embedded-full"] {
        let objects = objects(&helm.template(case, &["test.command=\"health\""]).unwrap());
        let ended = tested(&objects).await;
        assert_eq!(ended.code, Some(0), "{case}: {ended:?}");
    }
}
