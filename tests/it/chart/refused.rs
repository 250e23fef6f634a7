//! Wrong values are refused, and the message says which and what to do.

use super::*;

/// A case, the changes that make it wrong, and what the message must name.
type Wrong = (&'static str, &'static [&'static str], &'static [&'static str]);

/// What the schema refuses.
const SHAPES: &[Wrong] = &[
    ("embedded", &["replica=2"], &["additional properties 'replica' not allowed"]),
    ("embedded", &["store.knd=\"redis\""], &["/store", "'knd' not allowed"]),
    ("embedded", &["store.kind=\"memory\""], &["/store/kind", "'embedded', 'redis'"]),
    ("embedded", &["replicas=\"2\""], &["/replicas", "want null or integer"]),
    ("embedded", &["store.embedded.size=\"big\""], &["/store/embedded/size"]),
    ("embedded", &["store.embedded.accessMode=\"ReadWriteMany\""], &["/store/embedded/accessMode", "ReadWriteOncePod"]),
    ("redis", &["store.redis.url=\"http://redis\""], &["/store/redis/url"]),
    ("redis", &["store.redis.url=\"redis://me:secret@redis\""], &["/store/redis/url"]),
    ("embedded", &["settings.BEHALF_ISUER=\"x\""], &["/settings", "'BEHALF_ISUER' not allowed"]),
    ("embedded", &["settings.BEHALF_HOOK_SECRET=\"x\""], &["/settings", "'BEHALF_HOOK_SECRET' not allowed"]),
    ("embedded", &["settings.BEHALF_STORE=\"memory\""], &["/settings", "'BEHALF_STORE' not allowed"]),
    ("embedded", &["settings.BEHALF_MAX_PENDING=5"], &["/settings/BEHALF_MAX_PENDING", "got number, want string"]),
    ("embedded", &["secrets.files.BEHALF_HOOK_SECRET=\"x\""], &["/secrets/files", "'BEHALF_HOOK_SECRET' not allowed"]),
    ("embedded", &["secrets.files.BEHALF_HOOK_SECRET_FILE=\"../x\""], &["/secrets/files/BEHALF_HOOK_SECRET_FILE"]),
    ("redis-trial", &["secrets.values.hook-secret=\"\""], &["/secrets/values/hook-secret"]),
    ("embedded", &["config.users[0].status=\"ACTIVE\""], &["/config/users/0/status", "'active'"]),
    ("embedded", &["config.users[0].mail=\"x\""], &["/config/users/0", "'mail' not allowed"]),
    ("embedded", &["listen.port=80"], &["/listen/port", "minimum: got 80, want 1,024"]),
    ("embedded", &["image.digest=\"sha256:1\""], &["/image/digest"]),
    ("redis-trial", &["redis.image.digest=\"7.2\""], &["/redis/image/digest"]),
    ("embedded", &["security.runAsUser=0"], &["/security/runAsUser", "want 1"]),
    ("redis", &["autoscaling.minReplicas=1"], &["/autoscaling/minReplicas", "want 2"]),
    ("redis", &["podDisruptionBudget.maxUnavailable=0"], &["/podDisruptionBudget/maxUnavailable"]),
    ("redis", &["ingress.hosts[0]=\"https://x.example.com\""], &["/ingress/hosts/0"]),
    ("redis", &["paths=[\"hooks\"]"], &["/paths/0"]),
    ("redis", &["networkPolicy.out.redis.peers[0]={}"], &["/networkPolicy/out/redis/peers/0"]),
    (
        "redis",
        &["networkPolicy.out.redis.peers[0]={\"ip\":\"10.0.0.1\"}"],
        &["/networkPolicy/out/redis/peers/0", "'ip'"],
    ),
    ("redis", &["topologySpread.zone=\"Always\""], &["/topologySpread/zone", "DoNotSchedule"]),
    ("redis", &["metrics.serviceMonitor.interval=30"], &["/metrics/serviceMonitor/interval"]),
    ("embedded", &["test.command=\"serve\""], &["/test/command", "'selftest', 'health'"]),
    ("embedded", &["metrics.prometheusRule.runbooks=\"x\""], &["/metrics/prometheusRule/runbooks"]),
    // What has a default is taken away by null.
    ("redis", &["secrets.values=null"], &["at '/secrets'", "missing property 'values'"]),
    ("redis", &["networkPolicy=null"], &["missing property 'networkPolicy'"]),
];

/// What is right by itself and wrong together: the value, and what to set.
const TOGETHER: &[Wrong] = &[
    ("embedded", &["image.repository=\"\""], &["image.repository: is empty", "deploy/Dockerfile"]),
    (
        "embedded",
        &["replicas=2"],
        &["replicas: 2 with store.kind embedded", "Set replicas to 1, or store.kind to redis"],
    ),
    ("embedded", &["autoscaling.enabled=true"], &["autoscaling.enabled: true with store.kind embedded"]),
    ("embedded", &["store.redis.url=\"redis://x\""], &["store.redis.url: given with store.kind embedded"]),
    ("embedded", &["redis.enabled=true"], &["redis.enabled: true with store.kind embedded"]),
    ("redis-trial", &["store.redis.url=\"redis://x\""], &["store.redis.url: given while redis.enabled is true"]),
    ("redis-trial", &["redis.enabled=false"], &["store.redis.url: is empty with store.kind redis", "redis.enabled"]),
    ("redis", &["replicas=3"], &["replicas: given while autoscaling.enabled is true"]),
    ("redis", &["autoscaling.minReplicas=9"], &["autoscaling.maxReplicas: 8 is less than minReplicas, 9"]),
    ("existing", &["config.toml=\"x=1\""], &["config.existingConfigMap: given together with config.toml"]),
    (
        "embedded",
        &["settings.BEHALF_USERS_FILE=\"x\""],
        &["settings.BEHALF_USERS_FILE: given together with config.users"],
    ),
    ("embedded", &["settings.BEHALF_ISSUER=\"\""], &["settings.BEHALF_ISSUER: is missing", "config.toml"]),
    ("embedded", &["settings.BEHALF_AUDIENCE=\"\""], &["settings.BEHALF_AUDIENCE: is missing"]),
    ("embedded", &["secrets.files={}"], &["secrets.files.BEHALF_HOOK_SECRET_FILE: is missing"]),
    ("embedded", &["config.users=[]"], &["config.users: is empty with the embedded directory"]),
    (
        "redis",
        &["settings.BEHALF_AUDIT_SINK=\"file:/x\""],
        &["settings.BEHALF_AUDIT_SINK: a file with store.kind redis"],
    ),
    (
        "redis-trial",
        &["secrets.existingSecret=\"x\""],
        &["secrets: more than one of existingSecret, values and projected"],
    ),
    (
        "embedded",
        &["secrets.existingSecret=\"\""],
        &["secrets.files: given without a Secret", "secrets.existingSecret"],
    ),
    (
        "redis-trial",
        &["secrets.files.BEHALF_OTP_KEY_FILE=\"otp\""],
        &["secrets.files.BEHALF_OTP_KEY_FILE: names `otp`"],
    ),
    (
        "redis",
        &["secrets.files={\"BEHALF_HOOK_SECRET_FILE\":\"x\"}"],
        &["secrets.files.BEHALF_SIGNING_KEY_FILE: is missing", "openssl"],
    ),
    (
        "embedded",
        &["drain.terminationGracePeriodSeconds=30"],
        &["drain.terminationGracePeriodSeconds: 30 is less than a stop can take, 45"],
    ),
    ("embedded", &["listen.metricsPort=8080"], &["listen.metricsPort: 8080 is listen.port, too"]),
    ("redis", &["metrics.enabled=false"], &["metrics.enabled: false with a serviceMonitor"]),
    ("redis", &["ingress.hosts=[]"], &["ingress.hosts: is empty"]),
    ("redis-trial", &["httpRoute.parentRefs=[]"], &["httpRoute.parentRefs: is empty"]),
    ("redis", &["networkPolicy.in.ingressController=[]"], &["networkPolicy.in.ingressController: is empty"]),
    ("redis", &["networkPolicy.in.prometheus=[]"], &["networkPolicy.in.prometheus: is empty"]),
    ("redis", &["networkPolicy.out.redis.peers=[]"], &["networkPolicy.out.redis.peers: is empty"]),
    ("redis", &["networkPolicy.out.directory.peers=[]"], &["networkPolicy.out.directory.peers: is empty"]),
    (
        "redis-trial",
        &["settings.OTEL_EXPORTER_OTLP_ENDPOINT=\"http://collector:4318\""],
        &["networkPolicy.out.otlp.peers: is empty", "Say where it is"],
    ),
    ("embedded", &["resources.limits.cpu=null"], &["resources.limits.cpu: none", "settings.BEHALF_WORKERS"]),
    ("embedded", &["config.toml=\"x = [\""], &["config.toml: isn't TOML: "]),
    (
        "embedded",
        &["config.toml=\"[tenants.default]\\nhook = { secret = \\\"x\\\" }\""],
        &["config.toml: `tenants.default.hook.secret` is a secret", "secrets.files.BEHALF_HOOK_SECRET_FILE"],
    ),
    ("existing", &["test.enabled=true"], &["test.command: selftest, but the values don't say", "health"]),
];

fn refuses(helm: &Helm, (case, changes, parts): &Wrong) {
    let Err(said) = helm.template(case, changes) else { panic!("{case} with {changes:?} isn't refused") };
    for part in *parts {
        assert!(said.contains(part), "{case} with {changes:?}: `{part}` is not in: {said}");
    }
}

#[test]
fn the_schema_refuses_what_is_no_value() {
    let Some(helm) = Helm::there() else { return };
    for wrong in SHAPES {
        refuses(&helm, wrong);
    }
}

#[test]
fn values_that_do_not_go_together_are_refused_with_what_to_set() {
    let Some(helm) = Helm::there() else { return };
    for wrong in TOGETHER {
        refuses(&helm, wrong);
    }
}

/// Each message of the chart is in the table above.
#[test]
fn every_combination_that_is_refused_is_tried() {
    let checks = ["_checks", "_toml"].map(|name| read(&format!("charts/behalf/templates/{name}.tpl"))).concat();
    let messages = checks.lines().filter(|line| line.starts_with("- ")).count();
    // The two variables that are required have one message.
    assert_eq!(messages + 1, TOGETHER.len());
}

/// However it is written, whosever it is, and each that the program knows.
#[test]
fn no_secret_gets_into_a_config_map() {
    let Some(helm) = Helm::there() else { return };
    let told = |toml: &str| {
        let change = format!("config.toml={}", Value::from(toml));
        helm.template("embedded", &[&change]).err().unwrap_or_default()
    };
    for line in read("charts/behalf/files/secrets.txt").lines() {
        let (key, variable) = line.split_once(' ').unwrap();
        for tenant in ["default", "second-one"] {
            let key = key.replace('*', tenant);
            let said = told(&format!("{key} = \"a secret in plain text\""));
            assert!(said.contains(&format!("`{key}` is a secret")), "{key}: {said}");
            let by_variable = tenant == "default" || !key.starts_with("tenants.");
            assert_eq!(said.contains(&format!("secrets.files.{variable}")), by_variable, "{key}: {said}");
            assert!(!said.contains("a secret in plain text"), "{said}");
        }
        let by_file = told(&format!("{}_file = \"/run/secrets/behalf/x\"", key.replace('*', "default")));
        assert_eq!(by_file, "", "{key}: by a file it is well");
    }
    let table = told("[tenants.other.directory.ldap]\nbind_password = \"x\"\n[store.redis]\npassword = \"y\"");
    for key in ["tenants.other.directory.ldap.bind_password", "store.redis.password"] {
        assert!(table.contains(&format!("`{key}` is a secret")), "{table}");
    }
}

/// What config.toml says counts as if `settings` said it.
#[test]
fn what_stands_in_the_file_is_seen_too() {
    let Some(helm) = Helm::there() else { return };
    let toml = |text: &str| format!("config.toml={}", Value::from(text));
    let traces = toml("traces.endpoint = \"http://collector:4318\"");
    let said = helm.template("redis-trial", &[&traces]).unwrap_err();
    assert!(said.contains("networkPolicy.out.otlp.peers: is empty"), "{said}");
    let workers = toml("server.workers = 2");
    let taken = helm.template("embedded", &["resources.limits.cpu=null", &workers]);
    assert!(taken.is_ok(), "{taken:?}");
    let named = helm.template("embedded", &["resources.limits.cpu=null", "settings.BEHALF_WORKERS=\"2\""]);
    assert!(named.is_ok(), "{named:?}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let Some(helm) = Helm::there() else { return };
    let said = helm.template("embedded", &["replicas=2", "autoscaling.enabled=true", "listen.metricsPort=8080"]);
    let said = said.unwrap_err();
    for part in ["replicas: 2", "autoscaling.enabled: true", "listen.metricsPort: 8080"] {
        assert!(said.contains(part), "{said}");
    }
}

/// Every object of the schema says what it takes; what it leaves open is left open on purpose.
#[test]
fn the_schema_is_strict_everywhere() {
    let schema: Value = serde_json::from_str(&read("charts/behalf/values.schema.json")).unwrap();
    let mut open = Vec::new();
    look(&schema, "", &mut open);
    open.sort();
    // Kubernetes' own terms, a user's attributes, and what a parent chart hands down.
    assert_eq!(open, ["/definitions/kubernetes", "/definitions/user/properties/profile", "/properties/global"]);
}

fn look(at: &Value, path: &str, open: &mut Vec<String>) {
    let Some(object) = at.as_object() else { return };
    if object.get("type").is_some_and(|kind| kind == "object") && !object.contains_key("additionalProperties") {
        open.push(path.to_owned());
    }
    for (key, below) in object {
        look(below, &format!("{path}/{key}"), open);
    }
}
